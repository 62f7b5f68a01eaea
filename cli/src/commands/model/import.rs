//! `vidp model import`: a model that somebody has, in whisper.cpp's format or in that of faster-whisper.

use super::{Place, Precision, check, whisper, write};
use anyhow::{Context, Result};
use clap::Args;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

#[derive(Args)]
pub struct Import {
    /// A ggml file of whisper.cpp; or a folder with a model.bin and a vocabulary of CTranslate2, as faster-whisper has it
    path: PathBuf,
    /// Its name from then on; that of the file or folder, unless given
    #[arg(long)]
    name: Option<String>,
    /// How the weights of a folder are stored: q8_0 is half the size and faster on a CPU
    #[arg(long = "type", value_enum, default_value_t = Precision::Q8_0)]
    precision: Precision,
    #[command(flatten)]
    place: Place,
}

impl Import {
    /// Copies or converts it. One of that name is replaced.
    pub fn run(self) -> Result<()> {
        let given = self.name.clone();
        let name = given.map_or_else(|| name_of(&self.path), Ok)?;
        let path = if self.path.is_dir() {
            let path = self.place.file(&format!("{name}-{}", self.precision.name()))?;
            write(&path, |out| whisper::convert(&self.path, self.precision, out))?;
            path
        } else {
            check(&self.path)?;
            let path = self.place.file(&name)?;
            write(&path, |out| {
                Ok(io::copy(&mut File::open(&self.path)?, out).map(drop)?)
            })?;
            path
        };
        self.place.tell("imported", &path)
    }
}

/// What a file or folder is called, without what every model's file has in its name.
fn name_of(path: &Path) -> Result<String> {
    let path = path.canonicalize().with_context(|| path.display().to_string())?;
    let name = if path.is_dir() {
        path.file_name()
    } else {
        path.file_stem()
    };
    let name = name.and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{} has no name: give one with --name", path.display()))?;
    let name = name.strip_prefix("ggml-").unwrap_or(name);
    Ok(name.strip_prefix("faster-whisper-").unwrap_or(name).to_owned())
}
