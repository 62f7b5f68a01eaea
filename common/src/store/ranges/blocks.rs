//! Hashes of the blocks of an object, with which ranges are checked without the rest of the object.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    path::Path,
};
use vidp_contract::hex;

/// Bytes of a block. A range is read in whole blocks, so a larger one reads more in vain.
const BLOCK: u64 = 256 << 10;
/// Bytes of a hash: the first ones of the SHA-256. Damage that keeps them is as unlikely as a collision.
const HASH: usize = 16;

/// The hash of each block of an object, in lower-case hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Blocks(Vec<String>);

impl Blocks {
    /// Reads the blocks of a file. Blocks the thread.
    pub fn of_file(path: &Path) -> io::Result<Blocks> {
        let (mut file, mut hashes) = (File::open(path)?, Vec::new());
        loop {
            let mut block = Vec::with_capacity(BLOCK as usize);
            Read::by_ref(&mut file).take(BLOCK).read_to_end(&mut block)?;
            if block.is_empty() {
                return Ok(Blocks(hashes));
            }
            hashes.push(hash(&block));
        }
    }

    /// True for the blocks of an object of `size` bytes.
    pub fn fit(&self, size: u64) -> bool {
        self.0.len() as u64 == size.div_ceil(BLOCK)
    }

    /// The bytes of the block that has the byte `at`, in an object of `size` bytes.
    pub(super) fn around(at: u64, size: u64) -> Range<u64> {
        let start = at / BLOCK * BLOCK;
        start..(start + BLOCK).min(size)
    }

    /// True when these are the bytes of the block that starts at `start`.
    pub(super) fn is_block(&self, start: u64, bytes: &[u8]) -> bool {
        let expected = self.0.get((start / BLOCK) as usize);
        expected.is_some_and(|expected| *expected == hash(bytes))
    }
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..HASH])
}
