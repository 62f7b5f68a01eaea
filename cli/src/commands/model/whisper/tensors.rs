//! Whisper from CTranslate2's format to whisper.cpp's.

use super::{
    ct2::Ct2,
    ggml::{self, Kind, Precision, int, write_ints, write_tensor},
    mel,
};
use anyhow::{Context, Result, ensure};
use std::{collections::HashMap, fs, io::Write, path::Path};

/// From this vocabulary on a model is multilingual, with one ordinary token more.
const MULTILINGUAL: usize = 51_865;

/// Converts the weights in `folder`: `model.bin`, or its two halves `model.bin.part1` and `.part2`, with
/// `vocabulary.txt` or `vocabulary.json`.
pub fn convert(folder: &Path, precision: Precision, out: &mut dyn Write) -> Result<()> {
    let vocabulary = vocabulary(folder)?;
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

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {} (`make setup` fetches weights)", path.display()))
}

fn weights(folder: &Path) -> Result<Vec<u8>> {
    let whole = folder.join("model.bin");
    if whole.is_file() {
        return read(&whole);
    }
    let half = |name: &str| read(&folder.join(name));
    Ok([half("model.bin.part1")?, half("model.bin.part2")?].concat())
}

/// The tokens in the order of their numbers: CTranslate2 wrote a line each once, and writes a list in JSON now.
fn vocabulary(folder: &Path) -> Result<Vec<String>> {
    let list = folder.join("vocabulary.json");
    if list.is_file() {
        return serde_json::from_slice(&read(&list)?).context("vocabulary.json");
    }
    let text = String::from_utf8(read(&folder.join("vocabulary.txt"))?).context("vocabulary.txt")?;
    Ok(text.split('\n').map(str::to_owned).collect())
}

/// A model's dimensions.
struct Size {
    vocabulary: usize,
    width: usize,
    mels: usize,
    audio_context: usize,
    text_context: usize,
    encoder_heads: usize,
    decoder_heads: usize,
    encoder_layers: usize,
    decoder_layers: usize,
}

impl Size {
    fn of(model: &Ct2) -> Result<Size> {
        let [vocabulary, width] = model.shape("decoder/embeddings/weight")?;
        let [_, mels, _] = model.shape("encoder/conv1/weight")?;
        let [audio_context, _] = model.shape("encoder/position_encodings/encodings")?;
        let [text_context, _] = model.shape("decoder/position_encodings/encodings")?;
        let layers = |side: &str| {
            (0..)
                .take_while(|i| model.has(&format!("{side}/layer_{i}/ffn/linear_0/weight")))
                .count()
        };
        Ok(Size {
            vocabulary,
            width,
            mels,
            audio_context,
            text_context,
            encoder_heads: model.count("encoder/num_heads")?,
            decoder_heads: model.count("decoder/num_heads")?,
            encoder_layers: layers("encoder"),
            decoder_layers: layers("decoder"),
        })
    }

    /// Tokens that stand for text; whisper.cpp adds the special ones itself.
    fn ordinary_tokens(&self) -> usize {
        if self.vocabulary >= MULTILINGUAL {
            50_257
        } else {
            50_256
        }
    }

    /// The header, and the mel filters that follow it.
    fn write(&self, precision: Precision, out: &mut dyn Write) -> Result<()> {
        write_ints(out, [ggml::MAGIC])?;
        for size in [
            self.vocabulary,
            self.audio_context,
            self.width,
            self.encoder_heads,
            self.encoder_layers,
            self.text_context,
            self.width,
            self.decoder_heads,
            self.decoder_layers,
            self.mels,
        ] {
            write_ints(out, [int(size)?])?;
        }
        write_ints(out, [precision.file_type(), int(self.mels)?, int(mel::BINS)?])?;
        ggml::write_floats(out, &mel::filters(self.mels))
    }
}

fn write_vocabulary(tokens: &[String], count: usize, out: &mut dyn Write) -> Result<()> {
    ensure!(
        tokens.len() >= count,
        "the vocabulary has {} tokens of {count}",
        tokens.len()
    );
    let alphabet = byte_alphabet();
    write_ints(out, [int(count)?])?;
    for (i, token) in tokens.iter().take(count).enumerate() {
        let bytes = token
            .chars()
            .map(|c| alphabet.get(&c).copied())
            .collect::<Option<Vec<u8>>>()
            .with_context(|| format!("the vocabulary's token {i}, {token:?}, is not made of bytes"))?;
        ggml::write_bytes(out, &bytes)?;
    }
    Ok(())
}

/// GPT-2's way to write any byte as a visible character: a printable one stands for itself, the others take the
/// characters from 256 on in turn.
fn byte_alphabet() -> HashMap<char, u8> {
    let mut next = 256..;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let code = match byte {
                33..=126 | 161..=172 | 174.. => u32::from(byte),
                _ => next.next()?,
            };
            Some((char::from_u32(code)?, byte))
        })
        .collect()
}

struct Tensors<'a> {
    model: &'a Ct2,
    size: Size,
    /// How matrices are stored; biases, norms and positions are always 32-bit floats.
    weights: Kind,
    out: &'a mut dyn Write,
}

impl Tensors<'_> {
    fn write(&mut self) -> Result<()> {
        self.positions("encoder", self.size.audio_context)?;
        self.convolution("conv1")?;
        self.convolution("conv2")?;
        self.positions("decoder", self.size.text_context)?;
        let embeddings = self.model.floats("decoder/embeddings/weight")?;
        let shape = [self.size.width, self.size.vocabulary];
        let name = "decoder.token_embedding.weight";
        write_tensor(self.out, name, &shape, self.weights, &embeddings)?;
        self.norm("encoder.ln_post", "encoder/layer_norm")?;
        for i in 0..self.size.encoder_layers {
            self.layer("encoder", i)?;
        }
        self.norm("decoder.ln", "decoder/layer_norm")?;
        for i in 0..self.size.decoder_layers {
            self.layer("decoder", i)?;
            self.cross_attention(i)?;
        }
        Ok(())
    }

    fn positions(&mut self, side: &str, length: usize) -> Result<()> {
        let values = self
            .model
            .floats(&format!("{side}/position_encodings/encodings"))?;
        let name = format!("{side}.positional_embedding");
        write_tensor(self.out, &name, &[self.size.width, length], Kind::F32, &values)
    }

    fn convolution(&mut self, name: &str) -> Result<()> {
        let source = format!("encoder/{name}");
        let [rows, inputs, kernel] = self.model.shape(&format!("{source}/weight"))?;
        let weight = self.model.floats(&format!("{source}/weight"))?;
        let bias = self.model.floats(&format!("{source}/bias"))?;
        let name = format!("encoder.{name}");
        // whisper.cpp wants the convolutions in 16 bits, whatever the rest is in.
        write_tensor(
            self.out,
            &format!("{name}.weight"),
            &[kernel, inputs, rows],
            Kind::F16,
            &weight,
        )?;
        write_tensor(self.out, &format!("{name}.bias"), &[1, rows], Kind::F32, &bias)
    }

    fn norm(&mut self, name: &str, source: &str) -> Result<()> {
        for (to, from) in [("weight", "gamma"), ("bias", "beta")] {
            let values = self.model.floats(&format!("{source}/{from}"))?;
            write_tensor(
                self.out,
                &format!("{name}.{to}"),
                &[self.size.width],
                Kind::F32,
                &values,
            )?;
        }
        Ok(())
    }

    fn layer(&mut self, side: &str, i: usize) -> Result<()> {
        let (to, from) = (format!("{side}.blocks.{i}"), format!("{side}/layer_{i}"));
        let attention = ["query", "key", "value"].map(|part| format!("{to}.attn.{part}"));
        self.linear(&attention, &format!("{from}/self_attention/linear_0"))?;
        self.linear(
            &[format!("{to}.attn.out")],
            &format!("{from}/self_attention/linear_1"),
        )?;
        self.norm(
            &format!("{to}.attn_ln"),
            &format!("{from}/self_attention/layer_norm"),
        )?;
        self.linear(&[format!("{to}.mlp.0")], &format!("{from}/ffn/linear_0"))?;
        self.linear(&[format!("{to}.mlp.2")], &format!("{from}/ffn/linear_1"))?;
        self.norm(&format!("{to}.mlp_ln"), &format!("{from}/ffn/layer_norm"))
    }

    fn cross_attention(&mut self, i: usize) -> Result<()> {
        let (to, from) = (
            format!("decoder.blocks.{i}"),
            format!("decoder/layer_{i}/attention"),
        );
        self.linear(&[format!("{to}.cross_attn.query")], &format!("{from}/linear_0"))?;
        let pair = ["key", "value"].map(|part| format!("{to}.cross_attn.{part}"));
        self.linear(&pair, &format!("{from}/linear_1"))?;
        self.linear(&[format!("{to}.cross_attn.out")], &format!("{from}/linear_2"))?;
        self.norm(&format!("{to}.cross_attn_ln"), &format!("{from}/layer_norm"))
    }

    /// CTranslate2 stacks the matrices that take the same input: `source` is cut into one part per name.
    fn linear(&mut self, names: &[String], source: &str) -> Result<()> {
        let [all_rows, columns] = self.model.shape(&format!("{source}/weight"))?;
        let weight = self.model.floats(&format!("{source}/weight"))?;
        let bias = self.model.floats(&format!("{source}/bias"))?;
        let rows = all_rows / names.len();
        ensure!(
            rows * names.len() == bias.len() && rows * columns > 0,
            "{source} cannot be cut into {} parts",
            names.len()
        );
        let parts = weight.chunks(rows * columns).zip(bias.chunks(rows));
        for (name, (weight, bias)) in names.iter().zip(parts) {
            write_tensor(
                self.out,
                &format!("{name}.weight"),
                &[columns, rows],
                self.weights,
                weight,
            )?;
            if name.ends_with(".key") {
                // Whisper's keys have no bias: the stacked one holds zeros for them.
                ensure!(
                    bias.iter().all(|b| *b == 0.0),
                    "{name} has a bias, which the format cannot hold"
                );
            } else {
                write_tensor(self.out, &format!("{name}.bias"), &[rows], Kind::F32, bias)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_a_character_for_each_byte() {
        let alphabet = byte_alphabet();
        assert_eq!(alphabet.len(), 256);
        assert_eq!(alphabet[&'a'], b'a');
        assert_eq!(alphabet[&'Ġ'], b' ');
        assert_eq!(alphabet[&'Ċ'], b'\n');
    }

    #[test]
    fn a_short_or_foreign_vocabulary_is_refused() {
        let written = |tokens: [&str; 2], count| {
            write_vocabulary(&tokens.map(str::to_owned), count, &mut Vec::new()).is_ok()
        };
        assert!(!written(["a", "b"], 3));
        assert!(!written(["a", "日"], 2));
        assert!(written(["a", "b"], 2));
    }
}
