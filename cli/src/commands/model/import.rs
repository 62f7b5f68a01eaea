use super::{
    check::check,
    ggml::Precision,
    place::{Place, write},
    whisper,
};
use anyhow::{Context, Result};
use clap::Args;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Arguments of `vidp model import`.
#[derive(Args)]
pub struct Import {
    /// A ggml file of whisper.cpp, or a faster-whisper folder with a model.bin and a vocabulary of CTranslate2
    path: PathBuf,
    /// Name for the model; default: the name of the file or folder
    #[arg(long)]
    name: Option<String>,
    /// Storage of the converted weights: `q8_0` is half the size and faster on a CPU
    #[arg(long = "type", value_enum, default_value_t = Precision::Q8_0)]
    precision: Precision,
    #[command(flatten)]
    place: Place,
}

impl Import {
    /// Copies or converts the model, and replaces one of the same name.
    pub(super) fn run(self) -> Result<()> {
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
        self.place.report("imported", &path)
    }
}

/// The name of a file or folder without the usual prefixes of model files.
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
