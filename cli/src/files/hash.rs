//! Hashes as text.

use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

const BUFFER: usize = 1 << 20;

/// Bytes in lower-case hexadecimal, as `sha256sum` prints them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file's SHA-256.
pub fn of_file(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    add_file(path, &mut hash)?;
    Ok(hex(&hash.finalize()))
}

/// Adds what is in a file to a hash; its length.
pub fn add_file(path: &Path, hash: &mut impl Digest) -> io::Result<u64> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(path)?);
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
