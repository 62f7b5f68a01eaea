//! Parts of whisper.cpp's ggml files: little-endian 32-bit integers and named tensors.

use anyhow::{Result, ensure};
use half::f16;
use std::io::Write;

/// First four bytes of every ggml file.
pub(super) const MAGIC: i32 = 0x6767_6d6c;

/// Weights in one block of `q8_0`, which share a scale.
pub(super) const Q8_BLOCK: usize = 32;
/// Bytes of a `q8_0` block: a 16-bit scale and 32 bytes.
const Q8_BYTES: usize = 2 + Q8_BLOCK;

/// Storage of the large matrices of a Whisper model.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Precision {
    /// 16-bit floats
    F16,
    /// 8-bit weights in blocks of 32 that share a scale
    #[value(name = "q8_0")]
    Q8_0,
}

impl Precision {
    /// Name in file names and options.
    pub(super) fn name(self) -> &'static str {
        match self {
            Precision::F16 => "f16",
            Precision::Q8_0 => "q8_0",
        }
    }

    /// The field `ftype` of the header: 1 is mostly `f16`; 7 is mostly `q8_0`, plus 1000 × the version of quantization.
    pub(super) fn file_type(self) -> i32 {
        match self {
            Precision::F16 => 1,
            Precision::Q8_0 => 2007,
        }
    }
}

/// Storage of one tensor.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 8-bit weights in blocks of 32 that share a scale.
    Q8_0,
}

impl From<Precision> for Kind {
    fn from(precision: Precision) -> Kind {
        match precision {
            Precision::F16 => Kind::F16,
            Precision::Q8_0 => Kind::Q8_0,
        }
    }
}

/// Writes integers.
pub(super) fn write_ints(out: &mut dyn Write, values: impl IntoIterator<Item = i32>) -> Result<()> {
    for value in values {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

/// Converts a size to the format's integer.
pub(super) fn int(size: usize) -> Result<i32> {
    Ok(i32::try_from(size)?)
}

/// Writes the length of `bytes`, then the bytes.
pub(super) fn write_bytes(out: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    write_ints(out, [int(bytes.len())?])?;
    Ok(out.write_all(bytes)?)
}

/// Writes 32-bit floats.
pub(super) fn write_floats(out: &mut dyn Write, values: &[f32]) -> Result<()> {
    for value in values {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

/// Writes one tensor. `shape` is in ggml's order: the fastest dimension is first.
pub(super) fn write_tensor(
    out: &mut dyn Write,
    name: &str,
    shape: &[usize],
    kind: Kind,
    values: &[f32],
) -> Result<()> {
    let expected: usize = shape.iter().product();
    ensure!(
        expected == values.len(),
        "{name}: {} values for a shape of {shape:?}",
        values.len()
    );
    let code = match kind {
        Kind::F32 => 0,
        Kind::F16 => 1,
        Kind::Q8_0 => 8,
    };
    write_ints(out, [int(shape.len())?, int(name.len())?, code])?;
    for size in shape {
        write_ints(out, [int(*size)?])?;
    }
    out.write_all(name.as_bytes())?;
    match kind {
        Kind::F32 => write_floats(out, values)?,
        Kind::F16 => {
            for value in values {
                out.write_all(&f16::from_f32(*value).to_le_bytes())?;
            }
        }
        Kind::Q8_0 => {
            let (blocks, rest) = values.as_chunks::<Q8_BLOCK>();
            let rows_fit = shape.first().is_some_and(|row| row.is_multiple_of(Q8_BLOCK));
            ensure!(
                rows_fit && rest.is_empty(),
                "{name}: its rows are not whole blocks of {Q8_BLOCK}"
            );
            for block in blocks {
                out.write_all(&q8_block(block))?;
            }
        }
    }
    Ok(())
}

/// Encodes 32 weights as multiples, -127 to 127, of a scale that maps the largest weight to ±127.
fn q8_block(weights: &[f32; Q8_BLOCK]) -> [u8; Q8_BYTES] {
    let largest = weights.iter().fold(0f32, |max, weight| max.max(weight.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut block = [0; Q8_BYTES];
    let (head, bytes) = block.split_at_mut(2);
    head.copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (byte, weight) in bytes.iter_mut().zip(weights) {
        *byte = (weight * inverse).round() as i8 as u8;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_q8_block_gives_the_weights_back_within_half_a_step() {
        let mut weights = [0f32; Q8_BLOCK];
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight = (i as f32 - 20.0) * 0.037;
        }
        let block = q8_block(&weights);
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        assert_eq!(block[2] as i8, -127); // the largest, -20 × 0.037
        for (byte, weight) in block[2..].iter().zip(weights) {
            let back = f32::from(*byte as i8) * scale;
            assert!((back - weight).abs() <= scale * 0.51 + weight.abs() * 1e-3);
        }
    }

    #[test]
    fn a_q8_block_of_zeros_is_zero() {
        assert_eq!(q8_block(&[0.0; Q8_BLOCK]), [0; Q8_BYTES]);
    }

    #[test]
    fn a_row_that_is_not_whole_blocks_is_refused() {
        let error = write_tensor(&mut Vec::new(), "w", &[16, 4], Kind::Q8_0, &[0.0; 64]);
        assert!(error.unwrap_err().to_string().contains("blocks of 32"));
        assert!(write_tensor(&mut Vec::new(), "w", &[3], Kind::F32, &[0.0; 2]).is_err());
    }
}
