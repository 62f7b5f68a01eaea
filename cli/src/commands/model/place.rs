use super::check::check;
use crate::{files::hash, ui::output};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};
use vidp_engines::find_model;

/// Name of the model that `vidp model make` makes, and that is used unless another is selected.
pub const DEFAULT_MODEL: &str = "base-q8_0";

/// File name of the voice-activity model.
pub const VAD_MODEL: &str = "silero-vad.bin";

/// Arguments that say where to write a model, and how to report it.
#[derive(Args)]
pub(super) struct Place {
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value_os_t = folder())]
    pub(super) out: PathBuf,
    /// Print a JSON document about the model
    #[arg(long)]
    json: bool,
}

/// The default folder of models, the one in which [`find_model`] looks first.
pub(super) fn folder() -> PathBuf {
    let engines = std::env::var_os("VIDP_ENGINES_DIR");
    engines
        .map_or_else(|| PathBuf::from(".engines"), PathBuf::from)
        .join("models")
}

/// The file name of a model: `small` is in `ggml-small.bin`.
pub(super) fn file_name(name: &str) -> String {
    format!("ggml-{name}.bin")
}

/// The name of the model in a file: `ggml-small.bin` has `small`.
pub(super) fn name_in(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.strip_prefix("ggml-").unwrap_or(&stem).to_owned()
}

/// Finds a Whisper model by the path of its file, or by its name in the folders of [`find_model`].
pub fn find(path_or_name: &str) -> Result<PathBuf> {
    if Path::new(path_or_name).is_file() {
        return Ok(fs::canonicalize(path_or_name)?);
    }
    let file = file_name(path_or_name);
    find_model(&file).with_context(|| match path_or_name {
        DEFAULT_MODEL => format!(
            "{file} was not found in .engines/models: run `make setup` and `vidp model make`, or set VIDP_WHISPER_MODEL"
        ),
        _ => format!(
            "{path_or_name} is not a file, and {file} was not found in .engines/models: see `vidp model list` and \
             `vidp model fetch`"
        ),
    })
}

impl Place {
    /// The path for a model of this name. Creates the folder.
    pub(super) fn file(&self, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(&self.out).with_context(|| format!("create {}", self.out.display()))?;
        Ok(self.out.join(file_name(name)))
    }

    /// Checks a model that was written, and prints its hash and how to use it. `done` says how it was made.
    pub(super) fn report(&self, done: &str, path: &Path) -> Result<()> {
        let model = check(path)?;
        let (name, sha256) = (name_in(path), hash::sha256(path)?);
        if self.json {
            output::json(&json!({ "name": name, "path": path, "model": model, "sha256": sha256 }));
            return Ok(());
        }
        output::print(format!("{} {done}: {model}", path.display()));
        output::print(format!("SHA-256 {sha256}"));
        let is_found = find_model(&file_name(&name))
            .is_some_and(|found| found.canonicalize().ok() == path.canonicalize().ok());
        let argument = if is_found {
            name
        } else {
            path.display().to_string()
        };
        output::print(format!("use it with `vidp up --model {argument}`"));
        Ok(())
    }
}

/// Writes to a `.part` file and renames it to `path`: a model is complete, or absent.
pub(super) fn write(path: &Path, convert: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let part = path.with_extension("part");
    let context = || format!("make {}", path.display());
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&part).with_context(context)?);
    let written = convert(&mut out)
        .and_then(|()| Ok(out.flush()?))
        .and_then(|()| Ok(fs::rename(&part, path)?));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&part);
    }
    written.with_context(context)
}
