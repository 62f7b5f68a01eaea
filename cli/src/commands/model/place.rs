//! `vidp model`: speech models in whisper.cpp's format.

mod check;
mod ct2;
mod fetch;
mod ggml;
mod import;
mod known;
mod list;
mod make;
mod mel;
mod silero;
mod whisper;

use crate::{hash, output};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};
use vidp_engines::find_model;

pub use check::check;
use ggml::Precision;

/// The model that `make` makes, and that is used unless another one is named.
pub const DEFAULT: &str = "base-q8_0";

/// The voice-activity model's file name.
pub const VAD_MODEL: &str = "silero-vad.bin";

#[derive(Subcommand)]
pub enum ModelCommand {
    /// List the models that are here
    List(list::List),
    /// Download one of whisper.cpp's own models
    Fetch(fetch::Fetch),
    /// Take in a model that you have: a ggml file, or a folder of faster-whisper, which is converted
    Import(import::Import),
    /// Make the models from the weights that `make setup` fetched
    Make(make::Make),
    /// Say whether a file is a Whisper model that VidP can use, and if not, what it is
    Check(Check),
}

#[derive(Args)]
pub struct Check {
    /// A ggml model of whisper.cpp
    path: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Where a model goes, and how that is told.
#[derive(Args)]
pub struct Place {
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value_os_t = folder())]
    out: PathBuf,
    /// Print what is there then as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `vidp model …`.
pub async fn run(command: ModelCommand) -> Result<()> {
    match command {
        ModelCommand::List(list) => list.run(),
        ModelCommand::Fetch(fetch) => fetch.run().await,
        ModelCommand::Import(import) => import.run(),
        ModelCommand::Make(make) => make.run(),
        ModelCommand::Check(Check { path, json }) => {
            let model = check(&path)?;
            if json {
                output::json(&json!({ "name": name_in(&path), "path": path, "model": model }));
            } else {
                output::print(format!("{}: {model}", path.display()));
            }
            Ok(())
        }
    }
}

/// Where models are, unless told: as [`find_model`] has it, the engines' folder.
fn folder() -> PathBuf {
    let engines = std::env::var_os("VIDP_ENGINES_DIR");
    engines
        .map_or_else(|| PathBuf::from(".engines"), PathBuf::from)
        .join("models")
}

/// The file name of the model of this name.
pub fn file_name(name: &str) -> String {
    format!("ggml-{name}.bin")
}

/// The Whisper model that this names: a file, or one in the folders that [`find_model`] looks in.
pub fn find(named: &str) -> Result<PathBuf> {
    if Path::new(named).is_file() {
        return Ok(fs::canonicalize(named)?);
    }
    let file = file_name(named);
    find_model(&file).with_context(|| match named {
        DEFAULT => format!(
            "{file} is not in .engines/models: run `make setup` and `vidp model make`, or set VIDP_WHISPER_MODEL"
        ),
        _ => format!("{named} is no file, and {file} is not in .engines/models: `vidp model list` and `fetch` help"),
    })
}

/// The name in a file name: `ggml-small.bin` is `small`.
fn name_in(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.strip_prefix("ggml-").unwrap_or(&stem).to_owned()
}

impl Place {
    /// The file of the model of this name; its folder is made.
    fn file(&self, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(&self.out).with_context(|| format!("create {}", self.out.display()))?;
        Ok(self.out.join(file_name(name)))
    }

    /// Tells of a model that is there now, and how it is used.
    fn tell(&self, done: &str, path: &Path) -> Result<()> {
        let model = check(path)?;
        let (name, sha256) = (name_in(path), hash::of_file(path)?);
        if self.json {
            output::json(&json!({ "name": name, "path": path, "model": model, "sha256": sha256 }));
            return Ok(());
        }
        output::print(format!("{} {done}: {model}", path.display()));
        output::print(format!("SHA-256 {sha256}"));
        let is_found = find_model(&file_name(&name))
            .is_some_and(|found| found.canonicalize().ok() == path.canonicalize().ok());
        let named = if is_found {
            name
        } else {
            path.display().to_string()
        };
        output::print(format!("`vidp up --model {named}` uses it"));
        Ok(())
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
    written.with_context(context)
}
