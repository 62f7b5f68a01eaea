use crate::commands::model;
use anyhow::{Context, Result};
use std::{env, path::PathBuf};
use vidp_engines::find_model;

/// Environment variables with the paths of the speech models that the environment does not name already.
///
/// # Errors
///
/// Fails when a model is not found, or when the chosen file is not a Whisper model.
pub(super) fn speech_models(chosen: Option<&str>) -> Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    let mut set = |variable, path: PathBuf| found.push((variable, path.display().to_string()));
    match chosen {
        Some(model) => {
            let path = model::find(model)?;
            model::check(&path)?;
            set("VIDP_WHISPER_MODEL", path);
        }
        None if env::var_os("VIDP_WHISPER_MODEL").is_some() => {}
        None => set("VIDP_WHISPER_MODEL", model::find(model::DEFAULT_MODEL)?),
    }
    if env::var_os("VIDP_VAD_MODEL").is_none() {
        let path = find_model(model::VAD_MODEL).with_context(|| {
            format!(
                "{} was not found in .engines/models: run `make setup` and `vidp model make`, or set VIDP_VAD_MODEL",
                model::VAD_MODEL
            )
        })?;
        set("VIDP_VAD_MODEL", path);
    }
    Ok(found)
}
