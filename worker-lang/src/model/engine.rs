//! What a process loads once and all its tasks share.

use crate::{
    config::EngineConfig,
    model::{self, Model},
    speech::Vad,
    whisper::{Cancelled, Whisper},
};
use anyhow::{Error, Result};
use std::{fs, path::PathBuf, sync::Arc, thread};
use vidp_worker::{
    TaskError,
    ffmpeg::{MediaLimits, Tools},
};

/// The loaded model, and where the programs are.
pub struct Engine {
    /// The speech model.
    pub whisper: Arc<Whisper>,
    /// ffmpeg and ffprobe.
    pub tools: Tools,
    /// Bounds on the media.
    pub limits: MediaLimits,
    /// Threads of each task at most.
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

    /// Threads for one run of the model that starts now: those whose cores are idle, and one at least.
    ///
    /// ggml's threads wait for each other by spinning. On two cores that others keep busy, two threads took 3 to 5 s
    /// for what one did in 1.2 s.
    pub fn idle_threads(&self) -> usize {
        // `0.20 0.18 0.12 3/123 4567`: the threads that run or want to, this one among them.
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let running = load.split(['/', ' ']).nth(3).and_then(|field| field.parse().ok());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        (cores + 1)
            .saturating_sub(running.unwrap_or(1))
            .clamp(1, self.threads)
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
