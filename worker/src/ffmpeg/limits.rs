use super::{error::MediaError, parse::Probe};
use std::{ffi::OsString, thread, time::Duration};
use vidp_common::process::Limits;
use vidp_contract::FailureCode;

/// Limits of the accepted media.
#[derive(clap::Args, Clone, Debug)]
pub struct MediaLimits {
    /// Maximum duration of accepted media in seconds
    #[arg(long, env = "VIDP_MAX_DURATION_SECONDS", default_value_t = 6.0 * 3600.0)]
    pub max_duration_seconds: f64,
    /// Maximum size of an accepted picture in pixels
    #[arg(long, env = "VIDP_MAX_PIXELS", default_value_t = 8192 * 4320)]
    pub max_pixels: u64,
    /// Maximum number of video and audio streams in an accepted file
    #[arg(long, env = "VIDP_MAX_STREAMS", default_value_t = 32)]
    pub max_streams: usize,
    /// Maximum accepted frame rate; phones record 240 frames a second and report a little more
    #[arg(long, env = "VIDP_MAX_FPS", default_value_t = 250.0)]
    pub max_fps: f64,
}

impl Default for MediaLimits {
    fn default() -> Self {
        MediaLimits {
            max_duration_seconds: 6.0 * 3600.0,
            max_pixels: 8192 * 4320,
            max_streams: 32,
            max_fps: 250.0,
        }
    }
}

impl MediaLimits {
    /// Options before an input that is decoded. They bound streams that are larger than their container states.
    pub fn decode_args(&self) -> [OsString; 2] {
        ["-max_pixels".into(), self.max_pixels.to_string().into()]
    }

    /// Refuses media that exceeds a limit, with a sentence for users.
    pub(super) fn check(&self, probe: &Probe) -> Result<(), MediaError> {
        let refuse = |code, detail| Err(MediaError::Media { code, detail });
        if probe.facts.duration > self.max_duration_seconds {
            let (actual, limit) = (probe.facts.duration, self.max_duration_seconds);
            let detail = format!("the media is {actual:.0} s long; at most {limit:.0} s are accepted");
            return refuse(FailureCode::MediaTooLong, detail);
        }
        if probe.streams > self.max_streams {
            let (actual, limit) = (probe.streams, self.max_streams);
            let detail =
                format!("the file has {actual} video and audio streams; at most {limit} are accepted");
            return refuse(FailureCode::MediaTooLarge, detail);
        }
        let (Some(shown), Some(coded)) = (&probe.facts.video, &probe.video) else {
            return Ok(());
        };
        let area = |width, height| u64::from(width) * u64::from(height);
        if area(coded.width, coded.height).max(area(shown.width, shown.height)) > self.max_pixels {
            let (width, height, limit) = (coded.width, coded.height, self.max_pixels);
            let detail = format!("the picture is {width}x{height}; at most {limit} pixels are accepted");
            return refuse(FailureCode::MediaTooLarge, detail);
        }
        if shown.fps > self.max_fps {
            let (actual, limit) = (shown.fps, self.max_fps);
            let detail =
                format!("the video has {actual:.0} frames a second; at most {limit:.0} are accepted");
            return refuse(FailureCode::MediaTooLarge, detail);
        }
        Ok(())
    }
}

/// Resource limits of one ffmpeg that decodes or encodes media of this many seconds.
///
/// The time limit is thirty times the duration of the media plus two minutes, on all cores. Every encode that VidP
/// offers is much faster on a suitable machine; a file that needs more was made to. The memory limit applies to
/// address space, of which every thread reserves some without use: 8K video fits, a bomb with larger frames does not.
pub fn process_limits(media_seconds: f64) -> Limits {
    let wall = Duration::from_secs(120) + Duration::from_secs_f64(media_seconds.clamp(0.0, 86_400.0) * 30.0);
    let cores = thread::available_parallelism().map_or(1, |n| n.get() as u32);
    Limits {
        wall,
        cpu: wall * cores,
        memory: (4 + u64::from(cores)) << 30,
        file_size: 64 << 30,
    }
}
