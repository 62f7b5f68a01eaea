use super::{error::MediaError, parse::Probe};
use std::{ffi::OsString, thread, time::Duration};
use vidp_common::process::Limits;
use vidp_contract::FailureCode;

/// Bounds on the media that is accepted.
#[derive(clap::Args, Clone, Debug)]
pub struct MediaLimits {
    /// Longest media accepted, in seconds
    #[arg(long, env = "VIDP_MAX_DURATION_SECONDS", default_value_t = 6.0 * 3600.0)]
    pub max_duration_seconds: f64,
    /// Largest picture accepted, in pixels
    #[arg(long, env = "VIDP_MAX_PIXELS", default_value_t = 8192 * 4320)]
    pub max_pixels: u64,
    /// Most video and audio streams accepted in one file
    #[arg(long, env = "VIDP_MAX_STREAMS", default_value_t = 16)]
    pub max_streams: usize,
    /// Highest frame rate accepted; phones record 240 and report a little more
    #[arg(long, env = "VIDP_MAX_FPS", default_value_t = 250.0)]
    pub max_fps: f64,
}

impl Default for MediaLimits {
    fn default() -> Self {
        MediaLimits {
            max_duration_seconds: 6.0 * 3600.0,
            max_pixels: 8192 * 4320,
            max_streams: 16,
            max_fps: 250.0,
        }
    }
}

impl MediaLimits {
    /// Options before an input that is decoded: a stream may turn out larger than its container said.
    pub fn decode_args(&self) -> [OsString; 2] {
        ["-max_pixels".into(), self.max_pixels.to_string().into()]
    }

    /// Refuses what exceeds a bound, with a sentence for users.
    pub(super) fn check(&self, probe: &Probe) -> Result<(), MediaError> {
        let refuse = |code, detail| Err(MediaError::Media { code, detail });
        if probe.facts.duration > self.max_duration_seconds {
            let (is, may) = (probe.facts.duration, self.max_duration_seconds);
            let detail = format!("the media is {is:.0} s long; at most {may:.0} s are accepted");
            return refuse(FailureCode::MediaTooLong, detail);
        }
        if probe.streams > self.max_streams {
            let (are, may) = (probe.streams, self.max_streams);
            let detail = format!("the file has {are} video and audio streams; at most {may} are accepted");
            return refuse(FailureCode::MediaTooLarge, detail);
        }
        let (Some(shown), Some(coded)) = (&probe.facts.video, &probe.video) else {
            return Ok(());
        };
        let area = |width, height| u64::from(width) * u64::from(height);
        if area(coded.width, coded.height).max(area(shown.width, shown.height)) > self.max_pixels {
            let (width, height, may) = (coded.width, coded.height, self.max_pixels);
            let detail = format!("the picture is {width}x{height}; at most {may} pixels are accepted");
            return refuse(FailureCode::MediaTooLarge, detail);
        }
        if shown.fps > self.max_fps {
            let (is, may) = (shown.fps, self.max_fps);
            let detail = format!("the video has {is:.0} frames a second; at most {may:.0} are accepted");
            return refuse(FailureCode::MediaTooLarge, detail);
        }
        Ok(())
    }
}

/// What one ffmpeg may use to decode or encode media of this many seconds.
///
/// Thirty times the media's length on the clock, all cores busy, is far slower than any encode offered here on a
/// machine worth deploying to; a file that needs more was made to. Memory is address space, of which every thread
/// reserves some that it never touches: 8K video works in this, a bomb of larger frames does not.
pub fn process_limits(media_seconds: f64) -> Limits {
    let wall = Duration::from_secs(120) + Duration::from_secs_f64(media_seconds.clamp(0.0, 86_400.0) * 30.0);
    let cores = thread::available_parallelism().map_or(1, |n| n.get() as u32);
    Limits {
        wall,
        cpu: wall * cores,
        memory: (4 + u64::from(cores)) << 30,
        file_size: 64 << 30,
        network: false,
    }
}
