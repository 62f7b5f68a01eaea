//! Makes a rendition of the picture of the source without a change, where that is as good as an encode.

use crate::{
    budget::{MIN_AUDIO, audio_bitrate, stereo_tracks},
    codec::{self, Rate},
    graph::frame_rate,
    job::{Job, OnProgress, Rendition, Target},
    ladder::Rung,
    read_back::read_back,
};
use std::{
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use vidp_common::process::{self, ProcessError};
use vidp_contract::Codec;
use vidp_worker::ffmpeg::{self, Input, Look, MediaError, Packets, TICKS, process_limits};

/// Containers that store a time for every frame, which a copied stream needs.
const TIMED_CONTAINERS: [&str; 2] = ["mov", "matroska"];
/// Profiles that players have decoders for.
const PROFILES: [&str; 4] = ["Constrained Baseline", "Baseline", "Main", "High"];
/// Level at most, 5.2: the highest that common decoders have.
const MAX_LEVEL: u32 = 52;
/// Ticks between two key frames at most. Every rendition has one every 2 s; a picture may be late by one frame.
const MAX_GOP: i64 = 21 * TICKS as i64 / 10;
/// Bits a second for each pixel at most, with [`DEFAULT_CRF`] and up to 30 pictures a second.
///
/// It gives 6.2 Mbit/s at 1920x1080, 2.8 at 1280x720 and 0.7 at 640x360, as Apple's authoring specification for HLS has it.
const BITS: f64 = 3.0;
/// The quality to which [`BITS`] belongs. Six steps more halve the bits of x264.
const DEFAULT_CRF: f64 = 23.0;
/// Bytes that MP4 needs for a packet of the picture, for a second of a track of sound, and for a file, at most.
const PACKET_BYTES: u64 = 24;
const SECOND_BYTES: f64 = 600.0;
const FILE_BYTES: u64 = 4096;

impl Job<'_> {
    /// The target of a rung that may get the source's picture without a change; `None` when its picture must be encoded.
    ///
    /// The rendition still has to be made, by [`Job::copy`], and may turn out to be unsuitable.
    ///
    /// # Errors
    /// A failure of the machine, or a cancellation.
    pub(crate) async fn copy_target(
        &self,
        rung: &Rung,
        file_size: u64,
    ) -> Result<Option<Target>, MediaError> {
        let is_wanted = self.options.copy && self.options.max_size_mb.is_none();
        if !is_wanted || self.options.codec != Codec::H264 || !self.can_copy(rung) {
            return Ok(None);
        }
        let Some(packets) = self.steady_packets(rung).await? else {
            return Ok(None);
        };
        let (facts, fps) = (&self.probe.facts, self.video()?.0.fps);
        let most = bits(self.options.crf, (rung.width, rung.height), fps);
        let is_small = packets.bytes as f64 * 8.0 <= most * facts.duration && facts.size <= file_size;
        let audio = self.audio_beside(&packets);
        Ok(audio
            .filter(|_| is_small && is_seekable(&packets))
            .map(|audio| Target {
                rung: rung.clone(),
                rate: Rate::Copy { regular_keys: true },
                audio,
            }))
    }

    /// Makes the rendition of a target from [`Job::copy_target`]. `None`: the picture must be encoded.
    ///
    /// # Errors
    /// A failure of the machine, or a cancellation.
    pub(crate) async fn copy(
        &self,
        target: &Target,
        file_size: u64,
    ) -> Result<Option<Rendition>, MediaError> {
        let quiet: OnProgress = Arc::new(|_, _| {});
        let targets = std::slice::from_ref(target);
        let made = async {
            if !self.decodes().await? {
                return Ok(None);
            }
            self.make(targets, file_size, &quiet).await?;
            let rendition = read_back(self, targets).await?.pop();
            Ok(rendition.filter(|rendition| rendition.facts.size <= self.probe.facts.size))
        };
        match made.await {
            Err(MediaError::Media { code, detail }) => {
                tracing::info!(%code, detail, "the picture cannot be copied and is encoded");
                Ok(None)
            }
            made => made,
        }
    }

    /// True when the source's video stream, copied unchanged, may be a valid rendition for the rung: what the header states.
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

    /// True when an encode of the rung that became too large may be replaced by a copy of an H.264 picture, or of another codec.
    ///
    /// Neither the key frames nor the bits count here: the picture is smaller than anything that an encoder makes.
    pub(crate) async fn is_sound(&self, rung: &Rung) -> Result<bool, MediaError> {
        if !self.options.copy || !self.can_copy(rung) {
            return Ok(false);
        }
        Ok(self.options.codec != Codec::H264
            || self.steady_packets(rung).await?.is_some() && self.decodes().await?)
    }

    /// The packets of a picture that has one look from its first key frame to its last. `None` for any other.
    async fn steady_packets(&self, rung: &Rung) -> Result<Option<Packets>, MediaError> {
        let (_, details) = self.video()?;
        let (tools, input) = (&self.settings.tools, Input::File(self.source));
        let stream = ffmpeg::h264_header(tools, input, details.index, self.cancel).await?;
        let is_known = stream.is_some_and(|header| {
            PROFILES.contains(&header.profile.as_str()) && header.level <= MAX_LEVEL && !header.is_special
        });
        let packets = match is_known {
            true => ffmpeg::packets(tools, input, details.index, self.cancel).await?,
            false => None,
        };
        let Some(packets) = packets.filter(|packets| packets.shows_all) else {
            return Ok(None);
        };
        let steady = Look {
            width: rung.width,
            height: rung.height,
            is_plain: true,
        };
        let limits = process_limits(self.probe.facts.duration);
        let (looks, count) = ffmpeg::key_frames(tools, input, details.index, limits, self.cancel).await?;
        // A recovery point without a key frame is no place to seek to.
        Ok((looks == [steady] && count == packets.keys.len()).then_some(packets))
    }

    /// Bits per second of each stereo track in the bytes that the source's picture leaves. `None` when there are too few.
    fn audio_beside(&self, packets: &Packets) -> Option<u64> {
        let (facts, tracks) = (&self.probe.facts, stereo_tracks(self.probe, self.options));
        let index = packets.times.len() as u64 * PACKET_BYTES + FILE_BYTES;
        let sound = (tracks as f64 * facts.duration * SECOND_BYTES) as u64;
        let left = facts.size.checked_sub(packets.bytes + index + sound)?;
        let each = (left as f64 * 8.0 * 0.97 / facts.duration) as u64 / tracks.max(1);
        (tracks == 0 || each >= MIN_AUDIO).then(|| audio_bitrate(self.probe).min(each))
    }

    /// Decodes the whole picture; true when the decoder has nothing to say.
    ///
    /// A decoder hides a missing reference, which is no error of a packet, and warns.
    async fn decodes(&self) -> Result<bool, MediaError> {
        let (_, details) = self.video()?;
        let mut args: Vec<OsString> = [
            "-nostdin",
            "-hide_banner",
            "-v",
            "warning",
            "-max_error_rate",
            "0",
        ]
        .map(OsString::from)
        .into();
        args.extend(self.settings.limits.decode_args());
        args.extend(Input::File(self.source).args());
        let map = format!("0:{}", details.index);
        args.extend(["-map", &map, "-fps_mode", "passthrough", "-f", "null", "-"].map(OsString::from));
        let limits = process_limits(self.probe.facts.duration);
        let (tools, access) = (&self.settings.tools, self.access());
        let warned = Arc::new(AtomicBool::new(false));
        let seen = warned.clone();
        let on_line = move |line: &str| {
            if ["[h264 @", "Error", "corrupt"]
                .iter()
                .any(|message| line.contains(message))
            {
                seen.store(true, Ordering::Relaxed);
            }
        };
        let child = process::spawn(&tools.ffmpeg, args, limits, &access, on_line)?;
        match child.finish(self.cancel).await {
            Ok(()) => Ok(!warned.load(Ordering::Relaxed)),
            Err(ProcessError::Failed { .. } | ProcessError::TimedOut { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Bits per second of a picture that is copied at most.
fn bits(crf: u8, (width, height): (u32, u32), fps: f64) -> f64 {
    let quality = ((DEFAULT_CRF - f64::from(crf)) / 6.0).exp2();
    // Neighbouring pictures of a high rate differ less.
    let rate = (fps / 30.0).max(1.0).sqrt();
    BITS * f64::from(width) * f64::from(height) * quality * rate
}

/// True when players can seek in the picture as in any rendition.
fn is_seekable(packets: &Packets) -> bool {
    let ends = packets.keys.iter().skip(1).chain(packets.times.last());
    let is_short = |(key, next): (&i64, &i64)| next - key <= MAX_GOP;
    packets.keys.iter().zip(ends).all(is_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_bits() {
        let check = |crf, size, fps, expected: f64| {
            let got = bits(crf, size, fps) / 1e6;
            assert!((got - expected).abs() < 0.05, "{got}, not {expected}");
        };
        check(23, (1920, 1080), 25.0, 6.2);
        check(29, (1280, 720), 30.0, 1.4);
        check(23, (1280, 720), 60.0, 3.9);
    }

    #[test]
    fn key_frames_every_two_seconds() {
        let second = i64::from(TICKS);
        let check = |keys: &[i64], last: i64, expected| {
            let packets = Packets {
                times: (0..=last * 10).map(|n| n * second / 10).collect(),
                keys: keys.iter().map(|key| key * second / 10).collect(),
                ..Packets::default()
            };
            assert_eq!(is_seekable(&packets), expected, "{keys:?}");
        };
        check(&[0, 20, 40], 6, true);
        check(&[0, 20, 42], 6, false);
        check(&[0, 20, 40], 7, false);
        check(&[0], 2, true);
    }
}
