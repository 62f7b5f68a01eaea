use super::super::{ct2::Ct2, ggml::Precision};
use super::{
    size::Size,
    tensors::Tensors,
    vocabulary::{read_vocabulary, read_weights, write_vocabulary},
};
use anyhow::{Context, Result};
use std::{io::Write, path::Path};

/// Converts the weights in `folder`: `model.bin`, or its two halves `model.bin.part1` and `.part2`, with
/// `vocabulary.txt` or `vocabulary.json`.
pub(crate) fn convert(folder: &Path, precision: Precision, out: &mut dyn Write) -> Result<()> {
    let vocabulary = read_vocabulary(folder)?;
    let model = Ct2::parse(weights(folder)?).context("model.bin")?;
    let size = Size::of(&model)?;
    size.write(precision, out)?;
    write_vocabulary(&vocabulary, size.ordinary_tokens(), out)?;
    Tensors {
        model: &model,
        size,
        weights: precision.into(),
        out,
    }
    .write()
}

fn weights(folder: &Path) -> Result<Vec<u8>> {
    let whole = folder.join("model.bin");
    if whole.is_file() {
        return read_weights(&whole);
    }
    let half = |name: &str| read_weights(&folder.join(name));
    Ok([half("model.bin.part1")?, half("model.bin.part2")?].concat())
}
