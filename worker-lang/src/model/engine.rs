//! State that a process loads once and all its tasks share.

use super::{
    file::{self, Model},
    whisper::{Cancelled, Whisper},
};
use crate::{audio::vad::Vad, config::EngineConfig};
use anyhow::{Error, Result};
use std::{fs, path::PathBuf, sync::Arc, thread};
use vidp_worker::{
    TaskError,
    ffmpeg::{MediaLimits, Tools},
};

/// The loaded speech model, with the paths and limits that every task needs.
pub struct Engine {
    /// The speech model.
    pub(crate) whisper: Arc<Whisper>,
    /// Paths of ffmpeg and ffprobe.
    pub(crate) tools: Tools,
    /// Limits on the media.
    pub(crate) limits: MediaLimits,
    /// Threads of each task at most.
    pub(crate) threads: usize,
    vad_model: PathBuf,
}

impl Engine {
    /// Checks and loads the models.
    ///
    /// # Errors
    /// A model file is missing or unusable. The text names the file, the fault and the remedy.
    pub fn load(config: &EngineConfig, slots: usize) -> Result<Engine> {
        whisper_rs::install_logging_hooks();
        file::check(Model::Whisper, &config.whisper_model).map_err(Error::msg)?;
        file::check(Model::Vad, &config.vad_model).map_err(Error::msg)?;
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

    /// Threads for a run of the model that starts now: the number of idle cores, at least 1.
    ///
    /// ggml's threads spin while they wait for each other. On two cores that were busy with other work, two threads
    /// took 3 to 5 s for a run that one thread finished in 1.2 s.
    pub(crate) fn idle_threads(&self) -> usize {
        // Format: `0.20 0.18 0.12 3/123 4567`. The `3` counts the runnable threads, including this one.
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let running = load.split(['/', ' ']).nth(3).and_then(|field| field.parse().ok());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (cores + 1)
            .saturating_sub(running.unwrap_or(1))
            .clamp(1, self.threads)
    }

    /// Loads a voice activity detector. Each track needs its own, because a detector has state.
    pub(crate) fn vad(&self) -> Result<Vad> {
        Vad::load(&self.vad_model)
    }
}

/// Converts a failure of the speech models to a task error: failures other than a cancellation are retried.
pub(crate) fn task_error(error: Error) -> TaskError {
    if error.is::<Cancelled>() {
        TaskError::Cancelled
    } else {
        TaskError::Retry(error)
    }
}
