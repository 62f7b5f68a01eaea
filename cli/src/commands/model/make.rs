use super::{
    ggml::Precision,
    place::{Place, VAD_MODEL, write},
    silero, whisper,
};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `vidp model make`.
#[derive(Args)]
pub struct Make {
    /// Folder with model.bin.part1, model.bin.part2, vocabulary.txt and `silero_vad_16k.safetensors`
    #[arg(long, default_value = ".engines/weights")]
    weights: PathBuf,
    /// Storage of the weights: `q8_0` is half the size and faster on a CPU
    #[arg(long = "type", value_enum, default_value_t = Precision::Q8_0)]
    precision: Precision,
    #[command(flatten)]
    place: Place,
}

impl Make {
    /// Makes the Whisper model and the voice-activity model.
    pub(super) fn run(self) -> Result<()> {
        let whisper = self.place.file(&format!("base-{}", self.precision.name()))?;
        let vad = self.weights.join("silero_vad_16k.safetensors");
        write(&self.place.out.join(VAD_MODEL), |out| silero::convert(&vad, out))?;
        write(&whisper, |out| {
            whisper::convert(&self.weights, self.precision, out)
        })?;
        self.place.report("made", &whisper)
    }
}
