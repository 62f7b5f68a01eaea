//! Decides if the picture of the source can be a rendition without a change.

use crate::{
    codec::{self, Rate},
    graph::frame_rate,
    job::{Job, Target},
    ladder::Rung,
};
use std::ffi::OsString;
use vidp_contract::Codec;
use vidp_worker::ffmpeg::{self, Input, Look, MediaError, Packets, TICKS, process_limits};

/// Containers that store a time for every frame, which a copied stream needs.
const TIMED_CONTAINERS: [&str; 2] = ["mov", "matroska"];
/// Ticks between two key frames at most. Every rendition has one every 2 s; a picture may be late by one frame.
const MAX_GOP: i64 = 21 * TICKS as i64 / 10;
/// Bits a second for each pixel of an H.264 picture at most, with [`DEFAULT_CRF`] and up to 30 pictures a second.
///
/// It gives 6.2 Mbit/s at 1920x1080, 2.8 at 1280x720 and 0.7 at 640x360, as Apple's authoring specification for HLS has it.
const BITS: f64 = 3.0;
/// The quality to which [`BITS`] belongs. Six steps more halve the bits of x264.
const DEFAULT_CRF: f64 = 23.0;

impl Job<'_> {
    /// The target of a rung that gets the source's picture without a change; `None` when its picture must be encoded.
    ///
    /// `is_decoded` says that another rung decodes the source, which shows damage. Otherwise it is decoded here.
    ///
    /// # Errors
    /// A failure of the machine, or a cancellation.
    pub(crate) async fn copied(&self, rung: &Rung, is_decoded: bool) -> Result<Option<Target>, MediaError> {
        let is_wanted = self.options.copy && self.options.max_size_mb.is_none();
        if !is_wanted || !self.can_copy(rung) || !self.is_small_enough(rung) {
            return Ok(None);
        }
        let (_, details) = self.video()?;
        let (tools, input) = (&self.settings.tools, Input::File(self.source));
        let packets = ffmpeg::packets(tools, input, details.index, self.cancel).await?;
        if !packets.is_some_and(|packets| is_seekable(&packets)) {
            return Ok(None);
        }
        let steady = Look {
            width: rung.width,
            height: rung.height,
            is_interlaced: false,
        };
        if ffmpeg::key_frames(tools, input, details.index, self.cancel).await? != [steady] {
            return Ok(None);
        }
        let is_sound = is_decoded || self.decodes().await?;
        Ok(is_sound.then(|| self.copy_target(rung.clone())))
    }

    fn copy_target(&self, rung: Rung) -> Target {
        Target {
            rung,
            rate: Rate::Copy { regular_keys: true },
            // The copied picture has all bytes of the source, and a rendition may not be larger.
            audio: self.audio_beside_a_copy(),
        }
    }

    /// True when the source's video stream, copied unchanged, is a valid rendition for the rung.
    pub(crate) fn can_copy(&self, rung: &Rung) -> bool {
        let Ok((track, details)) = self.video() else {
            return false;
        };
        track.codec == codec::video_name(self.options.codec)
            && track.pixel_format == "yuv420p"
            && (details.width, details.height) == (rung.width, rung.height)
            && (track.width, track.height) == (rung.width, rung.height)
            && track.rotation == 0
            && !track.interlaced
            && !track.hdr
            && frame_rate(track) == track.fps
            && TIMED_CONTAINERS
                .iter()
                .any(|name| self.probe.facts.container.starts_with(name))
    }

    /// True when an encode would not have much fewer bits.
    fn is_small_enough(&self, rung: &Rung) -> bool {
        let Ok((track, _)) = self.video() else {
            return false;
        };
        let limit = bits(
            self.options.codec,
            self.options.crf,
            (rung.width, rung.height),
            track.fps,
        );
        self.source_video_bitrate() <= limit
    }

    /// Decodes the whole picture; true when no packet and no picture is damaged.
    async fn decodes(&self) -> Result<bool, MediaError> {
        let (_, details) = self.video()?;
        let mut args: Vec<OsString> = self.settings.limits.decode_args().into();
        args.extend(Input::File(self.source).args());
        let map = format!("0:{}", details.index);
        args.extend(["-map", &map, "-f", "null", "-"].map(OsString::from));
        let limits = process_limits(self.probe.facts.duration);
        let (tools, access) = (&self.settings.tools, self.access());
        match ffmpeg::run(tools, args, limits, &access, self.cancel, |_| {}).await {
            Ok(errors) => Ok(errors == 0),
            Err(error) => match MediaError::decoding(error) {
                MediaError::Media { .. } => Ok(false),
                error => Err(error),
            },
        }
    }
}

/// Bits per second of a picture that is copied at most.
fn bits(codec: Codec, crf: u8, (width, height): (u32, u32), fps: f64) -> u64 {
    // Shares of H.264's bits for the same quality, on the safe side.
    let share = match codec {
        Codec::H264 => 1.0,
        Codec::H265 | Codec::Vp9 => 0.6,
        Codec::Av1 => 0.5,
    };
    let quality = ((DEFAULT_CRF - f64::from(crf)) / 6.0).exp2();
    // Neighbouring pictures of a high rate differ less.
    let rate = (fps / 30.0).max(1.0).sqrt();
    (BITS * f64::from(width) * f64::from(height) * share * quality * rate) as u64
}

/// True when players can seek in the picture as in any rendition, and all its packets are shown.
fn is_seekable(packets: &Packets) -> bool {
    let ends = packets.keys.iter().skip(1).chain(packets.times.last());
    let is_short = |(key, next): (&i64, &i64)| next - key <= MAX_GOP;
    packets.shows_all && packets.keys.iter().zip(ends).all(is_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_bits() {
        let check = |codec, crf, size, fps, expected: f64| {
            let got = bits(codec, crf, size, fps) as f64 / 1e6;
            assert!((got - expected).abs() < 0.05, "{got}, not {expected}");
        };
        check(Codec::H264, 23, (1920, 1080), 25.0, 6.2);
        check(Codec::H264, 29, (1280, 720), 30.0, 1.4);
        check(Codec::H264, 23, (1280, 720), 60.0, 3.9);
        check(Codec::Vp9, 23, (640, 360), 24.0, 0.4);
    }

    #[test]
    fn key_frames_every_two_seconds() {
        let second = i64::from(TICKS);
        let check = |keys: &[i64], last: i64, shows_all, expected| {
            let packets = Packets {
                times: (0..=last * 10).map(|n| n * second / 10).collect(),
                keys: keys.iter().map(|key| key * second / 10).collect(),
                shows_all,
            };
            assert_eq!(is_seekable(&packets), expected, "{keys:?}");
        };
        check(&[0, 20, 40], 6, true, true);
        check(&[0, 20, 40], 6, false, false);
        check(&[0, 20, 42], 6, true, false);
        check(&[0, 20, 40], 7, true, false);
        check(&[0], 2, true, true);
    }
}
