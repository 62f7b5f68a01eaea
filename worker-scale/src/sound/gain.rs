//! Changes the loudness of tracks to a target.

use super::{
    meter::{Level, Listened},
    track::{Gain, Gains},
};
use crate::{
    budget::{MAX_TRACKS, audio_bitrate},
    codec,
    job::Job,
    parts::hash,
};
use std::ffi::OsString;
use vidp_common::process::{Access, Limits};
use vidp_worker::ffmpeg::{self, AudioDetails, Input, MediaError, process_limits};

/// Decibels by which a track becomes louder at most. More would make noise of a track that is nearly silent.
const MAX_GAIN: f64 = 30.0;
/// Highest sample of a changed track in decibels, at first. An encoder adds some: the true peak may be [`MAX_TRUE_PEAK`].
const PEAK: f64 = -1.5;
/// Highest true peak in dBTP (EBU R128).
const MAX_TRUE_PEAK: f64 = -1.0;
/// Difference to the target, in LU, that is not corrected.
const CLOSE: f64 = 0.2;
/// Times at most that the gain is corrected. A limiter lowers the loudness with the peaks, and an encoder changes it by up to 1 LU.
const CORRECTIONS: usize = 3;

impl Job<'_> {
    /// Measures the tracks of the source and chooses their gains. Without the option `loudness` there are none.
    ///
    /// A silent track and one that cannot be decoded have none. The gain of each track is stored for the next delivery of the task.
    ///
    /// # Errors
    /// A failure of the machine, or a cancellation; `media_too_large` when the disk has no space for the track.
    pub async fn gains(&self) -> Result<Gains, MediaError> {
        let mut gains = Gains::new();
        let Some(target) = self.options.loudness else {
            return Ok(gains);
        };
        for track in &self.probe.audio {
            if gains.len() == MAX_TRACKS {
                break;
            }
            let name = self.gain_name(track, target);
            if let Some(gain) = self.stored(&name, self.gain(track, target)).await? {
                tracing::debug!(track = track.index, ?gain, target, "the loudness is changed");
                gains.insert(track.index, gain);
            }
        }
        Ok(gains)
    }

    /// The name of a stored gain: all on which it depends.
    fn gain_name(&self, track: &AudioDetails, target: f64) -> String {
        let sound = self.mixed(track, audio_bitrate(self.probe));
        let least = Gain {
            decibels: MAX_GAIN,
            peak: PEAK,
            before: 0.0,
        };
        let args = [
            format!("gain 2 {MAX_TRUE_PEAK} {CLOSE} {CORRECTIONS}"),
            least.filter(sound.channels),
            target.to_string(),
            track.index.to_string(),
            self.options.codec.to_string(),
            sound.filter,
            sound.bitrate.to_string(),
        ];
        format!("gain-{}", hash(&args.map(OsString::from)))
    }

    async fn gain(&self, track: &AudioDetails, target: f64) -> Result<Option<Gain>, MediaError> {
        let sound = self.mixed(track, 0);
        let source = Listened {
            input: Input::File(self.source),
            access: self.access(),
            stream: format!("0:{}", track.index),
            filter: Some(&sound.filter),
            channels: sound.channels,
        };
        let Some(source) = self.level(source).await? else {
            return Ok(None);
        };
        let mut gain = Gain {
            decibels: (target - source.integrated).min(MAX_GAIN),
            peak: PEAK,
            before: source.integrated,
        };
        for _ in 0..CORRECTIONS {
            let Some(encoded) = self.encoded_level(track, &gain).await? else {
                break;
            };
            let lacking = target - encoded.integrated;
            let excess = encoded.true_peak - MAX_TRUE_PEAK;
            if lacking.abs() < CLOSE && excess <= 0.0 {
                break;
            }
            gain.decibels = (gain.decibels + lacking).min(MAX_GAIN);
            if excess > 0.0 {
                gain.peak -= excess + 0.1;
            }
        }
        Ok(Some(gain))
    }

    /// Encodes a track with a gain, as in a rendition, and measures it.
    async fn encoded_level(&self, track: &AudioDetails, gain: &Gain) -> Result<Option<Level>, MediaError> {
        let sound = self.mixed(track, audio_bitrate(self.probe)).with(gain);
        let (channels, path) = (sound.channels, self.folder.join("loudness.mka"));
        let mut args: Vec<OsString> = self.settings.limits.decode_args().into();
        args.extend(["-max_error_rate", "1"].map(OsString::from));
        args.extend(Input::File(self.source).args());
        args.extend(["-map".into(), format!("0:{}", track.index).into()]);
        let encoder = codec::audio(self.options.codec, [sound].into_iter());
        args.extend(encoder.into_iter().map(OsString::from));
        args.extend(["-f", "matroska"].map(OsString::from));
        args.push(path.clone().into());
        let limits = Limits {
            file_size: self.space,
            ..process_limits(self.probe.facts.duration)
        };
        let (tools, access) = (&self.settings.tools, self.access());
        ffmpeg::run(tools, args, limits, &access, self.cancel, |_| {})
            .await
            .map_err(MediaError::decoding)?;
        let encoded = Listened {
            input: Input::File(&path),
            access: Access::reading(&path),
            stream: "0:a".to_owned(),
            filter: None,
            channels,
        };
        let level = self.level(encoded).await;
        // The folder is removed after the task in any case.
        let _ = tokio::fs::remove_file(&path).await;
        level
    }
}
