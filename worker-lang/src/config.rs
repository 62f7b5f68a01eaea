//! Settings of the language workers.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, thread};
use vidp_common::config::{ServiceCommand, WorkerConfig};
use vidp_contract::Stage;
use vidp_worker::ffmpeg::{MediaLimits, Tools};

/// Detects the spoken language of videos, or makes their subtitles.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Config {
    /// Stage that this worker runs
    #[arg(long, env = "VIDP_ROLE", value_enum, default_value = "detect")]
    pub role: Role,
    /// Models, programs and limits.
    #[command(flatten)]
    pub engine: EngineConfig,
    /// Settings of the worker loop.
    #[command(flatten)]
    pub worker: WorkerConfig,
    /// A command to run instead of serving the queue.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Stage that a language worker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Detects the spoken language
    Detect,
    /// Makes a transcript and captions
    Subtitle,
}

/// Command of a language worker.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Commands that every service has.
    #[command(flatten)]
    Service(ServiceCommand),
    /// Runs the role's stage on local files and prints one line of JSON per file
    #[command(hide = true)]
    Bench {
        /// Media files
        files: Vec<PathBuf>,
    },
}

/// Models, programs and limits.
#[derive(Args, Clone, Debug)]
pub struct EngineConfig {
    /// Multilingual Whisper model in whisper.cpp's ggml format: a file, or `s3://bucket/key` in the object store
    #[arg(
        long,
        env = "VIDP_WHISPER_MODEL",
        default_value = ".engines/models/ggml-base-q8_0.bin"
    )]
    pub whisper_model: PathBuf,
    /// Expected SHA-256 of the Whisper model; required for a model in the object store
    #[arg(long, env = "VIDP_WHISPER_MODEL_SHA256")]
    pub whisper_model_sha256: Option<String>,
    /// Silero voice activity model in whisper.cpp's ggml format: a file, or `s3://bucket/key`
    #[arg(
        long,
        env = "VIDP_VAD_MODEL",
        default_value = ".engines/models/silero-vad.bin"
    )]
    pub vad_model: PathBuf,
    /// Expected SHA-256 of the voice activity model; required for a model in the object store
    #[arg(long, env = "VIDP_VAD_MODEL_SHA256")]
    pub vad_model_sha256: Option<String>,
    /// Threads of the speech model per task; by default the cores are divided among the slots
    #[arg(long, env = "VIDP_SPEECH_THREADS")]
    pub threads: Option<usize>,
    /// Paths of ffmpeg and ffprobe.
    #[command(flatten)]
    pub tools: Tools,
    /// Limits on the media that the worker accepts.
    #[command(flatten)]
    pub limits: MediaLimits,
}

impl Role {
    /// The stage of this role.
    pub fn stage(self) -> Stage {
        match self {
            Role::Detect => Stage::Detect,
            Role::Subtitle => Stage::Subtitle,
        }
    }

    /// Port of the health and metrics endpoints.
    pub fn port(self) -> u16 {
        match self {
            Role::Detect => 8002,
            Role::Subtitle => 8004,
        }
    }
}

impl EngineConfig {
    /// Threads per task when the worker has this number of `slots`.
    ///
    /// The total does not exceed the cores by default, because threads without a core spin against each other.
    pub(crate) fn threads(&self, slots: usize) -> usize {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or(cores.min(8) / slots.max(1)).max(1)
    }
}
