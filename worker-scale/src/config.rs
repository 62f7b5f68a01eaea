use vidp_common::config::{ServiceCommand, WorkerConfig};
use vidp_worker::ffmpeg::{MediaLimits, Tools};

/// Settings of the `scale` worker.
#[derive(clap::Parser, Debug)]
#[command(
    name = "worker-scale",
    version,
    about = "Makes renditions, a poster and a storyboard of videos"
)]
pub struct Config {
    /// What every worker needs.
    #[command(flatten)]
    pub worker: WorkerConfig,
    /// What this one needs besides.
    #[command(flatten)]
    pub settings: Settings,
    /// Something else than to serve the queue.
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,
}

/// How to encode.
#[derive(clap::Args, Clone, Debug)]
pub struct Settings {
    /// The programs.
    #[command(flatten)]
    pub tools: Tools,
    /// The media that is accepted.
    #[command(flatten)]
    pub limits: MediaLimits,
    /// Preset of the H.264 and H.265 encoders: slower ones make smaller files
    #[arg(long, env = "VIDP_X264_PRESET", default_value = "veryfast", value_parser = PRESETS)]
    pub x264_preset: String,
}

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
