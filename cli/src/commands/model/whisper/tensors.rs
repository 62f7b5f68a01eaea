use super::super::{
    ct2::Ct2,
    ggml::{Kind, write_tensor},
};
use super::size::Size;
use anyhow::{Result, ensure};
use std::io::Write;

/// Writer of all tensors of a model, in whisper.cpp's names and order.
pub(super) struct Tensors<'a> {
    /// The model to convert.
    pub(super) model: &'a Ct2,
    /// Its dimensions.
    pub(super) size: Size,
    /// Storage of matrices; biases, norms and positions are always 32-bit floats.
    pub(super) weights: Kind,
    /// The file.
    pub(super) out: &'a mut dyn Write,
}

impl Tensors<'_> {
    /// Writes the tensors.
    pub(super) fn write(&mut self) -> Result<()> {
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
        // whisper.cpp requires 16-bit convolutions in every model.
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

    /// Splits `source` into one matrix per name: CTranslate2 stacks matrices that have the same input.
    fn linear(&mut self, names: &[String], source: &str) -> Result<()> {
        let [all_rows, columns] = self.model.shape(&format!("{source}/weight"))?;
        let weight = self.model.floats(&format!("{source}/weight"))?;
        let bias = self.model.floats(&format!("{source}/bias"))?;
        let rows = all_rows / names.len();
        ensure!(
            rows * names.len() == bias.len() && rows * columns > 0,
            "{source} cannot be split into {} parts",
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
                // Keys have no bias in Whisper; in the stacked bias their values are zero.
                ensure!(
                    bias.iter().all(|b| *b == 0.0),
                    "{name} has a bias, which the format cannot store"
                );
            } else {
                write_tensor(self.out, &format!("{name}.bias"), &[rows], Kind::F32, bias)?;
            }
        }
        Ok(())
    }
}
