//! Settings of the `scale` worker.

use vidp_common::config::{ServiceCommand, WorkerConfig};
use vidp_worker::ffmpeg::{MediaLimits, Tools};

/// Command line of the `scale` worker.
#[derive(clap::Parser, Debug)]
#[command(
    name = "worker-scale",
    version,
    about = "Makes renditions, a poster and a storyboard of videos"
)]
pub struct Config {
    /// Settings that every worker has.
    #[command(flatten)]
    pub worker: WorkerConfig,
    /// Settings of this worker only.
    #[command(flatten)]
    pub settings: Settings,
    /// A command to run instead of serving the queue.
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,
}

/// Programs, limits and encoder settings.
#[derive(clap::Args, Clone, Debug)]
pub struct Settings {
    /// Paths of ffmpeg and ffprobe.
    #[command(flatten)]
    pub tools: Tools,
    /// Limits on the media that the worker accepts.
    #[command(flatten)]
    pub limits: MediaLimits,
    /// Preset of the H.264 and H.265 encoders; a slower preset makes smaller files
    #[arg(long, env = "VIDP_X264_PRESET", default_value = "veryfast", value_parser = PRESETS)]
    pub x264_preset: String,
}

/// Presets that x264 and x265 share, fastest first.
const PRESETS: [&str; 9] = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
];
