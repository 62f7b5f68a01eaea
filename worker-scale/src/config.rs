//! Settings of the `scale` worker.

use std::path::Path;
use vidp_common::{
    config::{ServiceCommand, WorkerConfig},
    metrics,
};
use vidp_contract::Stage;
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
    /// Size in MB (1,000,000 bytes) of the volume of `VIDP_SCRATCH_DIR`, if it is smaller than its disk; 0 means the disk's
    /// free space
    #[arg(long, env = "VIDP_SCRATCH_MB", default_value_t = 0)]
    pub scratch_mb: u64,
    /// Seconds of a part: a long film is encoded in parts, and a worker that is stopped loses one part; 0 chooses 10 to 30
    /// seconds by the length of the film
    #[arg(long, env = "VIDP_PART_SECONDS", default_value_t = 0)]
    pub part_seconds: u32,
    /// Tasks that share the volume, `VIDP_SLOTS`.
    #[arg(skip = 1_usize)]
    pub slots: usize,
}

impl Settings {
    /// Seconds of a part of media of `duration` seconds.
    ///
    /// Parts have a cost: a part of 10 s needs 7 % more time than the same seconds in one run, and one of 30 s 1 %.
    pub(crate) fn part_seconds(&self, duration: f64) -> u32 {
        match self.part_seconds {
            0 if duration < 600.0 => 10,
            0 if duration < 3600.0 => 20,
            0 => 30,
            seconds => seconds,
        }
    }

    /// Bytes that the renditions of one task may have together, beside its source of `source` bytes in `folder`.
    ///
    /// All slots may need their share at the same time.
    pub(crate) fn space(&self, folder: &Path, source: u64) -> u64 {
        let slots = self.slots.max(1) as u64;
        let free = metrics::scratch(Stage::Scale, folder) / slots;
        match self.scratch_mb {
            0 => free,
            mb => free.min((mb.saturating_mul(1_000_000) / slots).saturating_sub(source)),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn slots_share_the_volume() {
        let space = |args: &[&str], slots| {
            let config = Config::parse_from([&["worker-scale"], args].concat());
            let settings = Settings {
                slots,
                ..config.settings
            };
            settings.space(Path::new("/"), 300_000)
        };
        assert_eq!(space(&["--scratch-mb=1"], 1), 700_000);
        assert_eq!(space(&["--scratch-mb=1"], 2), 200_000);
        assert_eq!(space(&["--scratch-mb=1"], 4), 0);
        let free = space(&[], 1);
        assert!(space(&[], 4) < free / 3, "{free}");
    }
}
