//! The SHA-256 of each part, from the bytes as the client sent them. What is read of an upload later is compared with them:
//! a byte that flips on the way from the store must change neither the file nor the hash that is recorded of it.

use sha2::{Digest, Sha256};
use vidp_contract::hex;
use vidp_record::source::Pieces;

/// Hashes what goes by, part after part.
pub struct PartHasher {
    part_size: usize,
    filled: usize,
    hash: Sha256,
    done: Vec<String>,
}

impl PartHasher {
    /// From the beginning of a part on.
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

    /// Of the whole parts so far.
    pub fn done(&self) -> &[String] {
        &self.done
    }

    /// Of what came after them, if anything did.
    pub fn rest(&self) -> Option<String> {
        (self.filled > 0).then(|| hex(&self.hash.clone().finalize()))
    }
}

/// Compares what goes by with what it must be.
pub struct Check {
    expected: Vec<String>,
    found: PartHasher,
}

impl Check {
    /// With these.
    pub fn new(pieces: &Pieces) -> Check {
        Check {
            expected: pieces.hashes.clone(),
            found: PartHasher::new(pieces.part_size),
        }
    }

    /// Adds bytes; false when a part is not what it was.
    pub fn update(&mut self, bytes: &[u8]) -> bool {
        self.found.update(bytes);
        self.expected.starts_with(self.found.done())
    }

    /// There is no more; false when it is not all of it.
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
    fn parts_are_told_from_others_however_they_are_cut() {
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
