//! Hashes of files.

use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};
use vidp_contract::hex;

const BUFFER_BYTES: usize = 1 << 20;

/// Returns the SHA-256 of a file in lower-case hexadecimal, as `sha256sum` prints it.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    add_file(path, &mut hash)?;
    Ok(hex(&hash.finalize()))
}

/// Adds the content of a file to a hash and returns its length in bytes.
pub fn add_file(path: &Path, hash: &mut impl Digest) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let mut length = 0;
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(length);
        }
        hash.update(bytes);
        let read = bytes.len();
        length += read as u64;
        file.consume(read);
    }
}
