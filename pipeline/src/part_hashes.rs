//! SHA-256 hashes of an upload's parts, computed from the bytes as the client sent them.
//!
//! Bytes that are read from the store later are compared with them. A bit flip on the way from the store therefore
//! changes neither the file nor its recorded hash.

use sha2::{Digest, Sha256};
use vidp_contract::hex;
use vidp_record::source::Pieces;

/// Computes the hash of each part of a byte stream.
pub struct PartHasher {
    part_size: usize,
    filled: usize,
    hash: Sha256,
    done: Vec<String>,
}

impl PartHasher {
    /// Creates a hasher that starts at the beginning of a part.
    pub fn new(part_size: i64) -> PartHasher {
        PartHasher {
            part_size: usize::try_from(part_size).unwrap_or(usize::MAX).max(1),
            filled: 0,
            hash: Sha256::new(),
            done: Vec::new(),
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (some, rest) = bytes.split_at(bytes.len().min(self.part_size - self.filled));
            self.hash.update(some);
            self.filled += some.len();
            bytes = rest;
            if self.filled == self.part_size {
                self.done.push(hex(&self.hash.finalize_reset()));
                self.filled = 0;
            }
        }
    }

    /// Returns the hashes of the whole parts so far.
    pub fn done(&self) -> &[String] {
        &self.done
    }

    /// Returns the hash of the bytes after the last whole part, if there are any.
    pub fn rest(&self) -> Option<String> {
        (self.filled > 0).then(|| hex(&self.hash.clone().finalize()))
    }
}

/// Compares a byte stream with the expected part hashes.
pub struct Check {
    expected: Vec<String>,
    found: PartHasher,
}

impl Check {
    /// Creates a check against the hashes of an upload.
    pub fn new(pieces: &Pieces) -> Check {
        Check {
            expected: pieces.hashes.clone(),
            found: PartHasher::new(pieces.part_size),
        }
    }

    /// Adds bytes. Returns false when a completed part differs from the upload.
    pub fn update(&mut self, bytes: &[u8]) -> bool {
        self.found.update(bytes);
        self.expected.starts_with(self.found.done())
    }

    /// Ends the stream. Returns false when it is not the complete upload.
    pub fn ends(&self) -> bool {
        let found = self.found.done().iter().cloned().chain(self.found.rest());
        found.eq(self.expected.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: &[u8]) -> Pieces {
        let mut hasher = PartHasher::new(4);
        bytes.chunks(3).for_each(|some| hasher.update(some));
        let hashes = hasher.done().iter().cloned().chain(hasher.rest()).collect();
        Pieces {
            upload: String::new(),
            part_size: 4,
            hashes,
        }
    }

    #[test]
    fn changed_parts_are_detected_with_any_chunk_size() {
        let check = |sent: &[u8], read: &[u8], expected: bool| {
            let mut check = Check::new(&pieces(sent));
            let same = read.chunks(5).all(|some| check.update(some)) && check.ends();
            assert_eq!(same, expected, "{sent:?} {read:?}");
        };
        check(b"abcdefghij", b"abcdefghij", true);
        check(b"abcdefgh", b"abcdefgh", true);
        check(b"abcdefghij", b"abcdeFghij", false);
        check(b"abcdefghij", b"abcdefghiJ", false);
        check(b"abcdefghij", b"abcdefgh", false);
        check(b"abcdefghij", b"abcdefghijk", false);
        check(b"abcdefgh", b"abcdefghi", false);
    }
}
