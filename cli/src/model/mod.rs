//! `vidp model`: speech models in whisper.cpp's format.

mod check;
mod ct2;
mod ggml;
mod mel;
mod silero;
mod whisper;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

pub use check::check;
pub use ggml::Precision;

/// The voice-activity model's file name.
pub const VAD_MODEL: &str = "silero-vad.bin";

#[derive(Subcommand)]
pub enum ModelCommand {
    /// Make the models from the weights that `make setup` fetched
    Make(Make),
    /// Say whether a file is a Whisper model that VidP can use, and if not, what it is
    Check {
        /// A ggml model of whisper.cpp
        path: PathBuf,
    },
}

#[derive(Args)]
pub struct Make {
    /// Folder of model.bin.part1, model.bin.part2, vocabulary.txt and silero_vad_16k.safetensors
    #[arg(long, default_value = ".engines/weights")]
    weights: PathBuf,
    /// Folder to write the models to
    #[arg(long, default_value = ".engines/models")]
    out: PathBuf,
    /// How the weights are stored: q8_0 is half the size and faster on a CPU
    #[arg(long = "type", value_enum, default_value_t = Precision::Q8_0)]
    precision: Precision,
}

/// Runs `vidp model …`.
pub fn run(command: ModelCommand) -> Result<()> {
    match command {
        ModelCommand::Make(make) => make.run(),
        ModelCommand::Check { path } => {
            let model = check(&path)?;
            println!("{}: {model}", path.display());
            Ok(())
        }
    }
}

/// The Whisper model's file name.
pub fn whisper_model(precision: Precision) -> String {
    format!("ggml-base-{}.bin", precision.name())
}

impl Make {
    fn run(&self) -> Result<()> {
        fs::create_dir_all(&self.out).with_context(|| format!("create {}", self.out.display()))?;
        let vad = self.weights.join("silero_vad_16k.safetensors");
        write(&self.out.join(VAD_MODEL), |out| silero::convert(&vad, out))?;
        let whisper = self.out.join(whisper_model(self.precision));
        write(&whisper, |out| {
            whisper::convert(&self.weights, self.precision, out)
        })
    }
}

/// Writes beside `path` and renames: a model is there whole, or not at all.
fn write(path: &Path, convert: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let part = path.with_extension("part");
    let context = || format!("make {}", path.display());
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&part).with_context(context)?);
    let written = convert(&mut out)
        .and_then(|()| Ok(out.flush()?))
        .and_then(|()| Ok(fs::rename(&part, path)?));
    if written.is_err() {
        // The error that matters is the one above.
        let _ = fs::remove_file(&part);
    }
    written.with_context(context)?;
    println!(
        "made {} ({} MB)",
        path.display(),
        fs::metadata(path)?.len() / 1_000_000
    );
    Ok(())
}
