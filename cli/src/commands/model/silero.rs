use super::ggml::{self, Kind, write_ints, write_tensor};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{fs, io::Write, path::Path};

const NAME: &str = "silero-16k";
/// Version of the model with this structure in whisper.cpp.
const VERSION: [i32; 3] = [6, 2, 0];

/// Samples per window, samples of context before it, encoder layers.
const WINDOW: [i32; 3] = [512, 64, 4];
/// Input and output channels and kernel size of each encoder layer.
const ENCODER: [[i32; 3]; 4] = [[129, 128, 3], [128, 64, 3], [64, 64, 3], [64, 128, 3]];
/// Input and hidden size of the recurrent layer, input and output of the last.
const DECODER: [i32; 4] = [128, 128, 128, 1];

/// Name in safetensors, name in whisper.cpp, storage, shape (fastest dimension first).
const TENSORS: [(&str, &str, Kind, &[usize]); 15] = [
    (
        "stft_conv.weight",
        "_model.stft.forward_basis_buffer",
        Kind::F16,
        &[256, 1, 258],
    ),
    (
        "conv1.weight",
        "_model.encoder.0.reparam_conv.weight",
        Kind::F16,
        &[3, 129, 128],
    ),
    (
        "conv1.bias",
        "_model.encoder.0.reparam_conv.bias",
        Kind::F32,
        &[128],
    ),
    (
        "conv2.weight",
        "_model.encoder.1.reparam_conv.weight",
        Kind::F16,
        &[3, 128, 64],
    ),
    (
        "conv2.bias",
        "_model.encoder.1.reparam_conv.bias",
        Kind::F32,
        &[64],
    ),
    (
        "conv3.weight",
        "_model.encoder.2.reparam_conv.weight",
        Kind::F16,
        &[3, 64, 64],
    ),
    (
        "conv3.bias",
        "_model.encoder.2.reparam_conv.bias",
        Kind::F32,
        &[64],
    ),
    (
        "conv4.weight",
        "_model.encoder.3.reparam_conv.weight",
        Kind::F16,
        &[3, 64, 128],
    ),
    (
        "conv4.bias",
        "_model.encoder.3.reparam_conv.bias",
        Kind::F32,
        &[128],
    ),
    (
        "lstm_cell.weight_ih",
        "_model.decoder.rnn.weight_ih",
        Kind::F32,
        &[128, 512],
    ),
    (
        "lstm_cell.weight_hh",
        "_model.decoder.rnn.weight_hh",
        Kind::F32,
        &[128, 512],
    ),
    (
        "lstm_cell.bias_ih",
        "_model.decoder.rnn.bias_ih",
        Kind::F32,
        &[512],
    ),
    (
        "lstm_cell.bias_hh",
        "_model.decoder.rnn.bias_hh",
        Kind::F32,
        &[512],
    ),
    (
        "final_conv.weight",
        "_model.decoder.decoder.2.weight",
        Kind::F16,
        &[128, 1],
    ),
    (
        "final_conv.bias",
        "_model.decoder.decoder.2.bias",
        Kind::F32,
        &[1],
    ),
];

/// Converts Silero's voice-activity model, `silero_vad_16k.safetensors`, to whisper.cpp's format.
pub(super) fn convert(path: &Path, out: &mut dyn Write) -> Result<()> {
    let context = || format!("read {} (`make setup` downloads it)", path.display());
    let bytes = fs::read(path).with_context(context)?;
    let file = Safetensors::parse(&bytes).with_context(context)?;
    write_ints(out, [ggml::MAGIC])?;
    ggml::write_bytes(out, NAME.as_bytes())?;
    let numbers = VERSION.into_iter().chain(WINDOW);
    write_ints(out, numbers.chain(ENCODER.into_iter().flatten()).chain(DECODER))?;
    for (from, to, kind, shape) in TENSORS {
        write_tensor(out, to, shape, kind, &file.floats(from)?)?;
    }
    Ok(())
}

/// A safetensors file: the length of a JSON table, the table of tensors, and their bytes.
struct Safetensors<'a> {
    table: Value,
    data: &'a [u8],
}

impl<'a> Safetensors<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Safetensors<'a>> {
        let short = "the file is truncated";
        let (length, rest) = bytes.split_first_chunk().context(short)?;
        let length = usize::try_from(u64::from_le_bytes(*length))?;
        let (table, data) = rest.split_at_checked(length).context(short)?;
        let table = serde_json::from_slice(table).context("not a safetensors file")?;
        Ok(Safetensors { table, data })
    }

    fn floats(&self, name: &str) -> Result<Vec<f32>> {
        let entry = self
            .table
            .get(name)
            .with_context(|| format!("no tensor {name}"))?;
        ensure!(entry["dtype"] == "F32", "{name} does not contain 32-bit floats");
        let offset = |i: usize| entry["data_offsets"][i].as_u64().map(|n| n as usize);
        let bytes = offset(0)
            .zip(offset(1))
            .and_then(|(start, end)| self.data.get(start..end))
            .with_context(|| format!("{name} is outside the file"))?;
        let (values, _) = bytes.as_chunks();
        Ok(values.iter().copied().map(f32::from_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(table: &str, data: &[u8]) -> Vec<u8> {
        [&(table.len() as u64).to_le_bytes(), table.as_bytes(), data].concat()
    }

    #[test]
    fn reads_floats_within_the_file_only() {
        let bytes = file(
            r#"{"a": {"dtype": "F32", "data_offsets": [0, 4]}, "b": {"dtype": "F32", "data_offsets": [4, 12]}}"#,
            &1f32.to_le_bytes(),
        );
        let file = Safetensors::parse(&bytes).unwrap();
        assert_eq!(file.floats("a").unwrap(), [1.0]);
        assert!(file.floats("b").unwrap_err().to_string().contains("outside"));
        assert!(file.floats("c").unwrap_err().to_string().contains("no tensor"));
    }

    #[test]
    fn refuses_short_and_foreign_files() {
        for bytes in [&b""[..], b"GGUF", &u64::MAX.to_le_bytes(), &file("not json", b"")] {
            assert!(Safetensors::parse(bytes).is_err());
        }
    }
}
