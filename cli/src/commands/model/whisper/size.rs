use super::super::{
    ct2::Ct2,
    ggml::{self, Precision, int, write_ints},
    mel,
};
use anyhow::Result;
use std::io::Write;

/// Vocabularies of at least this size are multilingual, and have one more ordinary token.
const MULTILINGUAL_VOCABULARY: usize = 51_865;

/// The dimensions of a Whisper model.
pub(super) struct Size {
    /// Number of tokens.
    pub(super) vocabulary: usize,
    /// Width of the embeddings.
    pub(super) width: usize,
    mels: usize,
    /// Positions of the encoder.
    pub(super) audio_context: usize,
    /// Positions of the decoder.
    pub(super) text_context: usize,
    encoder_heads: usize,
    decoder_heads: usize,
    /// Layers of the encoder.
    pub(super) encoder_layers: usize,
    /// Layers of the decoder.
    pub(super) decoder_layers: usize,
}

impl Size {
    /// Reads the dimensions from the shapes of the variables.
    pub(super) fn of(model: &Ct2) -> Result<Size> {
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

    /// Number of tokens that stand for text; whisper.cpp adds the special ones itself.
    pub(super) fn ordinary_tokens(&self) -> usize {
        if self.vocabulary >= MULTILINGUAL_VOCABULARY {
            50_257
        } else {
            50_256
        }
    }

    /// Writes the header and the mel filters.
    pub(super) fn write(&self, precision: Precision, out: &mut dyn Write) -> Result<()> {
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
