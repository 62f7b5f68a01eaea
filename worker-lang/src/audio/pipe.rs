//! Reads decoded sound with its times from the Matroska stream that ffmpeg writes to a pipe.
//!
//! Raw samples would have no times: ffmpeg rebuilds its filters when the layout or the rate of a track changes, and
//! nothing but the time of the next block then tells how much of the track is missing.

use super::chunk::RATE;
use std::io;

/// Bytes of a sample.
const SAMPLE_BYTES: usize = size_of::<f32>();
/// Bytes of an element at most. ffmpeg writes blocks of some kilobytes.
const MAX_ELEMENT: u64 = 4 << 20;
/// Bytes of elements without sound at most, beyond a tenth of the sound. ffmpeg's header has some hundred bytes.
const MAX_OVERHEAD: u64 = 1 << 20;

/// Elements that contain the elements that are read: segment, cluster, tracks, track, its audio settings, block group.
const CONTAINERS: [u32; 6] = [0x1853_8067, 0x1F43_B675, 0x1654_AE6B, 0xAE, 0xE1, 0xA0];
/// Number of channels of the track.
const CHANNELS: u32 = 0x9F;
/// Time of a cluster in milliseconds.
const CLUSTER_TIME: u32 = 0xE7;
/// Blocks of samples, with a time relative to their cluster's.
const BLOCKS: [u32; 2] = [0xA3, 0xA1];
/// Bytes of a block before its samples: track, time, flags.
const BLOCK_HEADER: usize = 4;

/// Sound that begins at a point in time.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// Position of the first frame, in samples per channel from the input's start.
    pub(super) position: usize,
    /// Samples of all channels, interleaved.
    pub(super) samples: Vec<f32>,
}

/// Reader of the stream of one track with 32-bit floats at [`RATE`] and times in milliseconds.
#[derive(Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    /// Bytes at the front that are read.
    used: usize,
    cluster: u64,
    channels: usize,
    sound: u64,
    overhead: u64,
}

impl Reader {
    /// Adds the next bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.used);
        self.used = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Number of channels; 0 before the stream's header.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// The next block; `None` when more bytes are necessary.
    ///
    /// # Errors
    /// The bytes are not a stream of sound.
    pub(super) fn next(&mut self) -> io::Result<Option<Block>> {
        loop {
            let rest = &self.bytes[self.used..];
            let Some((id, size, header)) = element(rest) else {
                return Ok(None);
            };
            if CONTAINERS.contains(&id) {
                self.used += header;
                continue;
            }
            if size > MAX_ELEMENT || self.overhead > MAX_OVERHEAD + self.sound / 10 {
                return Err(io::Error::other("the decoded sound has a wrong format"));
            }
            let Some(content) = rest.get(header..header + size as usize) else {
                return Ok(None);
            };
            let block = (BLOCKS.contains(&id) && content.len() > BLOCK_HEADER && self.channels > 0)
                .then(|| self.block(content));
            match id {
                CLUSTER_TIME => self.cluster = number(content),
                CHANNELS => self.channels = number(content).min(u8::MAX.into()) as usize,
                _ => {}
            }
            self.used += header + size as usize;
            match block {
                Some(block) => {
                    self.sound += size;
                    return Ok(Some(block));
                }
                None => self.overhead += header as u64 + size,
            }
        }
    }

    fn block(&self, content: &[u8]) -> Block {
        let relative = i16::from_be_bytes([content[1], content[2]]);
        let millis = self.cluster.saturating_add_signed(relative.into());
        let (samples, _) = content[BLOCK_HEADER..].as_chunks::<SAMPLE_BYTES>();
        Block {
            position: (millis as usize).saturating_mul(RATE / 1000),
            samples: samples.iter().map(|sample| f32::from_le_bytes(*sample)).collect(),
        }
    }
}

/// Id and size of the first element, and the length of its header. `None` when the header is incomplete.
///
/// Both are numbers whose leading zero bits tell their length (RFC 8794). The id keeps its marker bit.
fn element(bytes: &[u8]) -> Option<(u32, u64, usize)> {
    let length = |byte: u8| byte.leading_zeros() as usize + 1;
    let id_length = length(*bytes.first()?);
    let id = number(bytes.get(..id_length)?);
    let size_length = length(*bytes.get(id_length)?);
    let size = number(bytes.get(id_length..id_length + size_length)?);
    let marker = 1_u64.checked_shl(7 * size_length as u32).unwrap_or(0);
    Some((id as u32, size & marker.wrapping_sub(1), id_length + size_length))
}

/// A big-endian number; the last 8 bytes count.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream as ffmpeg writes it: header with two channels, a cluster at 1 s, a block 500 ms later.
    fn stream() -> Vec<u8> {
        let mut bytes = vec![0x1A, 0x45, 0xDF, 0xA3, 0x82, 1, 2];
        bytes.extend([
            0x18, 0x53, 0x80, 0x67, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        ]);
        bytes.extend([
            0x16, 0x54, 0xAE, 0x6B, 0x87, 0xAE, 0x85, 0xE1, 0x83, 0x9F, 0x81, 2,
        ]);
        bytes.extend([0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xE7, 0x82, 0x03, 0xE8]);
        bytes.extend([0xA3, 0x8C, 0x81, 0x01, 0xF4, 0x80]);
        bytes.extend(1.0_f32.to_le_bytes());
        bytes.extend((-0.5_f32).to_le_bytes());
        bytes
    }

    #[test]
    fn blocks_have_their_times() {
        // The bytes arrive in pieces of any length.
        for length in [1, 7, 1000] {
            let (mut reader, mut found) = (Reader::default(), Vec::new());
            for piece in stream().chunks(length) {
                reader.push(piece);
                found.extend(reader.next().unwrap());
            }
            let expected = Block {
                position: 24_000,
                samples: vec![1.0, -0.5],
            };
            assert_eq!((reader.channels(), found), (2, vec![expected]));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        let refused = |bytes: &[u8]| {
            let mut reader = Reader::default();
            (0..4096).any(|_| {
                reader.push(&bytes.repeat(1024 / bytes.len()));
                while let Ok(Some(_)) = reader.next() {}
                reader.next().is_err()
            })
        };
        assert!(refused(b"y\n"));
        assert!(refused(&[0xA3, 0x08, 0xFF, 0xFF, 0xFF, 0xFF]));
        assert!(refused(&[0xEC; 64]));
        assert!(refused(&[0; 64]));
    }
}
