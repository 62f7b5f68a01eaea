//! Settings of the language workers.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, thread};
use vidp_common::config::{ServiceCommand, WorkerConfig};
use vidp_contract::Stage;
use vidp_worker::ffmpeg::{MediaLimits, Tools};

/// Finds the spoken language of videos, or subtitles them.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Config {
    /// What this worker does
    #[arg(long, env = "VIDP_ROLE", value_enum, default_value = "detect")]
    pub role: Role,
    /// Models, programs and limits.
    #[command(flatten)]
    pub engine: EngineConfig,
    /// The worker loop.
    #[command(flatten)]
    pub worker: WorkerConfig,
    /// Something else than to serve a queue.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What a language worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Spoken language
    Detect,
    /// Transcript and captions
    Subtitle,
}

/// What a language worker does besides.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What every service can do.
    #[command(flatten)]
    Service(ServiceCommand),
    /// Runs the role on local files, and prints a line of JSON for each
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
    /// SHA-256 that the Whisper model must have; needed for one in the object store
    #[arg(long, env = "VIDP_WHISPER_MODEL_SHA256")]
    pub whisper_model_sha256: Option<String>,
    /// Silero voice activity model in whisper.cpp's ggml format: a file, or `s3://bucket/key`
    #[arg(
        long,
        env = "VIDP_VAD_MODEL",
        default_value = ".engines/models/silero-vad.bin"
    )]
    pub vad_model: PathBuf,
    /// SHA-256 that the voice activity model must have; needed for one in the object store
    #[arg(long, env = "VIDP_VAD_MODEL_SHA256")]
    pub vad_model_sha256: Option<String>,
    /// Threads per task of the speech model; by default the cores are shared out among the slots
    #[arg(long, env = "VIDP_SPEECH_THREADS")]
    pub threads: Option<usize>,
    /// Programs.
    #[command(flatten)]
    pub tools: Tools,
    /// Bounds on the media.
    #[command(flatten)]
    pub limits: MediaLimits,
}

impl Role {
    /// The stage this role serves.
    pub fn stage(self) -> Stage {
        match self {
            Role::Detect => Stage::Detect,
            Role::Subtitle => Stage::Subtitle,
        }
    }

    /// The port of its probes.
    pub fn port(self) -> u16 {
        match self {
            Role::Detect => 8002,
            Role::Subtitle => 8004,
        }
    }
}

impl EngineConfig {
    /// Threads per task with so many `slots`. More threads than cores would spin against each other.
    pub fn threads(&self, slots: usize) -> usize {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or(cores.min(8) / slots.max(1)).max(1)
    }
}
