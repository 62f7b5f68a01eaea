//! `vidp model make`: the models that VidP comes with, from the weights that are fetched for it.

use super::{Place, Precision, VAD_MODEL, silero, whisper, write};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct Make {
    /// Folder of model.bin.part1, model.bin.part2, vocabulary.txt and silero_vad_16k.safetensors
    #[arg(long, default_value = ".engines/weights")]
    weights: PathBuf,
    /// How the weights are stored: q8_0 is half the size and faster on a CPU
    #[arg(long = "type", value_enum, default_value_t = Precision::Q8_0)]
    precision: Precision,
    #[command(flatten)]
    place: Place,
}

impl Make {
    /// Makes the Whisper model and that of voice activity.
    pub fn run(self) -> Result<()> {
        let whisper = self.place.file(&format!("base-{}", self.precision.name()))?;
        let vad = self.weights.join("silero_vad_16k.safetensors");
        write(&self.place.out.join(VAD_MODEL), |out| silero::convert(&vad, out))?;
        write(&whisper, |out| {
            whisper::convert(&self.weights, self.precision, out)
        })?;
        self.place.tell("made", &whisper)
    }
}
