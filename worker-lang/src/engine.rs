//! What a process loads once and all its tasks share.

use crate::{
    config::EngineConfig,
    model::{self, Model},
    speech::Vad,
    whisper::{Cancelled, Whisper},
};
use anyhow::{Error, Result};
use std::{path::PathBuf, sync::Arc};
use vidp_common::{
    ffmpeg::{MediaLimits, Tools},
    worker::TaskError,
};

/// The loaded model, and where the programs are.
pub struct Engine {
    /// The speech model.
    pub whisper: Arc<Whisper>,
    /// ffmpeg and ffprobe.
    pub tools: Tools,
    /// Bounds on the media.
    pub limits: MediaLimits,
    /// Threads of each task.
    pub threads: usize,
    vad_model: PathBuf,
}

impl Engine {
    /// Checks and loads the models. Errors say what is wrong with which file, and how to get a right one.
    pub fn load(config: &EngineConfig, slots: usize) -> Result<Engine> {
        whisper_rs::install_logging_hooks();
        model::check(Model::Whisper, &config.whisper_model).map_err(Error::msg)?;
        model::check(Model::Vad, &config.vad_model).map_err(Error::msg)?;
        let engine = Engine {
            whisper: Arc::new(Whisper::load(&config.whisper_model)?),
            tools: config.tools.clone(),
            limits: config.limits.clone(),
            threads: config.threads(slots),
            vad_model: config.vad_model.clone(),
        };
        engine.vad()?;
        Ok(engine)
    }

    /// A voice activity detector of the caller's own: it remembers what it heard.
    pub fn vad(&self) -> Result<Vad> {
        Vad::load(&self.vad_model)
    }
}

/// What a failure of the speech models means for a task.
pub fn task_error(error: Error) -> TaskError {
    if error.is::<Cancelled>() {
        TaskError::Cancelled
    } else {
        TaskError::Retry(error)
    }
}
