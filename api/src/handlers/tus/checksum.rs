//! `Upload-Checksum`: the checksum of the body of one request.

use super::headers::{ALGORITHMS, CHECKSUM};
use crate::http::problem::{Code, Problem};
use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The hash of the bytes so far, and the expected hash.
pub(crate) struct Checksum {
    hash: Hash,
    expected: Vec<u8>,
}

/// The algorithm and its state.
enum Hash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    /// Reads the field: an algorithm, and the hash in base64.
    pub(crate) fn read(fields: &HeaderMap) -> Result<Option<Checksum>, Problem> {
        let Some(value) = fields.get(CHECKSUM) else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default();
        let wrong = || {
            Problem::invalid(format!(
                "Upload-Checksum must be one of {ALGORITHMS}, a space, and the checksum in base64"
            ))
        };
        let (name, base64) = text.split_once(' ').ok_or_else(wrong)?;
        let (hash, length) = match name {
            "sha1" => (Hash::Sha1(Sha1::new()), 20),
            "sha256" => (Hash::Sha256(Sha256::new()), 32),
            _ => return Err(wrong()),
        };
        let expected = BASE64_STANDARD.decode(base64.trim()).map_err(|_| wrong())?;
        match expected.len() == length {
            true => Ok(Some(Checksum { hash, expected })),
            false => Err(wrong()),
        }
    }

    /// Adds bytes of the body.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.hash {
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
        }
    }

    /// 460 when the body does not match the checksum.
    pub(crate) fn check(self) -> Result<(), Problem> {
        let found = match self.hash {
            Hash::Sha1(hash) => hash.finalize().to_vec(),
            Hash::Sha256(hash) => hash.finalize().to_vec(),
        };
        match found == self.expected {
            true => Ok(()),
            false => Err(Problem::new(
                Code::ChecksumMismatch,
                "the body does not match Upload-Checksum; its bytes have been discarded",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that a body is accepted or refused with the field; `None` expects an invalid field.
    fn check(field: &str, body: &str, expected: Option<bool>) {
        let fields = HeaderMap::from_iter([(CHECKSUM, field.parse().unwrap())]);
        let found = Checksum::read(&fields).ok().map(|checksum| {
            let mut checksum = checksum.unwrap();
            checksum.update(body.as_bytes());
            checksum.check().is_ok()
        });
        assert_eq!(found, expected, "{field}");
    }

    #[test]
    fn bodies_are_compared_with_their_checksum() {
        check("sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hello", Some(true));
        check("sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hallo", Some(false));
        check(
            "sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
            "hello",
            Some(true),
        );
        check("md5 XUFAKrxLKna5cZ2REBfFkg==", "hello", None);
        check("sha1 qvTGHdzF", "hello", None);
        check("sha1 !", "hello", None);
        check("sha1", "hello", None);
        assert!(Checksum::read(&HeaderMap::new()).unwrap().is_none());
    }
}
