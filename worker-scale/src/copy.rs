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
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use vidp_common::process;
use vidp_contract::Codec;
use vidp_worker::ffmpeg::{self, Input, Look, MediaError, Packets, TICKS, process_limits};

/// Containers that store a time for every frame, which a copied stream needs.
const TIMED_CONTAINERS: [&str; 2] = ["mov", "matroska"];
/// Profiles that players have decoders for.
const PROFILES: [&str; 4] = ["Constrained Baseline", "Baseline", "Main", "High"];
/// Level at most, 5.2: the highest that common decoders have.
const MAX_LEVEL: u32 = 52;
/// Bitstream filter that passes sequence and picture parameter sets alone (NAL units 7 and 8).
const PARAMETERS: &str = "filter_units=pass_types=7-8";
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
        let fps = self.video()?.0.fps;
        let most = bits(self.options.crf, (rung.width, rung.height), fps);
        let is_small = packets.bytes as f64 * 8.0 <= most * seconds(packets, fps);
        let audio = self.audio_beside(packets);
        let Some(audio) = audio.filter(|_| is_small && is_seekable(packets)) else {
            return Ok(None);
        };
        let is_possible = self.probe.facts.size <= file_size && self.decodes().await?;
        Ok(is_possible.then(|| Target {
            rung: rung.clone(),
            rate: Rate::Copy { regular_keys: true },
            audio,
        }))
    }

    /// Makes the rendition of a target from [`Job::copy_target`], and counts the decode errors of its sound. `None`: the picture must
    /// be encoded.
    ///
    /// # Errors
    /// A failure of the machine, or a cancellation.
    pub(crate) async fn copy(
        &self,
        target: &Target,
        file_size: u64,
        on_progress: &OnProgress,
    ) -> Result<Option<(Rendition, u64)>, MediaError> {
        let targets = std::slice::from_ref(target);
        let made = async {
            let errors = self.make(targets, file_size, on_progress).await?;
            let rendition = read_back(self, targets).await?.pop();
            let small = rendition.filter(|rendition| rendition.facts.size <= self.probe.facts.size);
            Ok(small.map(|rendition| (rendition, errors)))
        };
        let made = match made.await {
            Err(MediaError::Media { code, detail }) => {
                tracing::info!(%code, detail, "the picture cannot be copied and is encoded");
                None
            }
            made => made?,
        };
        if made.is_none() {
            // The rung needs its space.
            let _ = tokio::fs::remove_file(self.path(&target.rung)).await;
        }
        Ok(made)
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

    /// True when a copy may replace an encode of the rung that became too large.
    ///
    /// Neither the key frames nor the bits count here: the picture is smaller than anything that an encoder makes.
    pub(crate) async fn is_intact(&self, rung: &Rung) -> Result<bool, MediaError> {
        if !self.options.copy || !self.can_copy(rung) {
            return Ok(false);
        }
        if self.options.codec == Codec::H264 {
            return Ok(self.steady_packets(rung).await?.is_some() && self.decodes().await?);
        }
        Ok(self.packets().await?.is_some_and(|packets| packets.shows_all))
    }

    /// The packets of a picture that has one look from its first key frame to its last. `None` for any other.
    async fn steady_packets(&self, rung: &Rung) -> Result<Option<&Packets>, MediaError> {
        let (_, details) = self.video()?;
        let (tools, input) = (&self.settings.tools, Input::File(self.source));
        let stream = ffmpeg::h264_header(tools, input, details.index, self.cancel).await?;
        let is_known = stream.is_some_and(|header| {
            PROFILES.contains(&header.profile.as_str()) && header.level <= MAX_LEVEL && !header.is_special
        });
        let packets = match is_known {
            true => self.packets().await?,
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
        let wanted = audio_bitrate(self.probe);
        // The largest rendition must not have a sound that is much worse than that of the others.
        (tracks == 0 || each >= MIN_AUDIO.max(wanted / 4 * 3)).then(|| wanted.min(each))
    }

    /// Decodes the whole picture; true when the decoder has nothing to say, and the picture has one set of parameters. The answer is
    /// stored for the next delivery of the task.
    ///
    /// A decoder hides a missing reference, which is no error of a packet, and warns. Parameters inside an `avc1` stream, as in joined
    /// recordings, are ignored by players that read those of the header (ISO/IEC 14496-15).
    async fn decodes(&self) -> Result<bool, MediaError> {
        self.stored("copy-decodes-1", self.decode()).await
    }

    async fn decode(&self) -> Result<bool, MediaError> {
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
        // The parameter sets inside the stream, a line for each packet that has some.
        args.extend(
            [
                "-map", &map, "-c", "copy", "-bsf", PARAMETERS, "-f", "framecrc", "-",
            ]
            .map(OsString::from),
        );
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
        let mut child = process::spawn(&tools.ffmpeg, args, limits, &access, on_line)?;
        let reader = tokio::spawn(has_one_set(child.stdout()));
        let ended = child.finish(self.cancel).await;
        let has_one = reader.await.map_err(io::Error::other).flatten();
        let has_one = has_one.map_err(MediaError::reading)?;
        match ended {
            Ok(()) => Ok(has_one && !warned.load(Ordering::Relaxed)),
            Err(error) => match MediaError::decoding(error) {
                MediaError::Media { .. } => Ok(false),
                error => Err(error),
            },
        }
    }
}

/// True when all rows of `framecrc` have one size and one checksum. Reads to the end.
async fn has_one_set(from: impl AsyncRead + Unpin) -> io::Result<bool> {
    let mut lines = BufReader::new(from).lines();
    let (mut first, mut has_one) = (None, true);
    while let Some(line) = lines.next_line().await? {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        // Stream, two times, duration, size, checksum; a line with `#` is a header.
        if let &[stream, _, _, _, size, sum, ..] = fields.as_slice()
            && !stream.starts_with('#')
        {
            let set = (size.to_owned(), sum.to_owned());
            has_one &= *first.get_or_insert_with(|| set.clone()) == set;
        }
    }
    Ok(has_one)
}

/// Seconds of a picture.
fn seconds(packets: &Packets, fps: f64) -> f64 {
    let ends = packets.times.first().zip(packets.times.last());
    ends.map_or(0.0, |(first, last)| (last - first) as f64 / f64::from(TICKS)) + 1.0 / fps.max(1.0)
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

    #[tokio::test]
    async fn one_set_of_parameters() {
        let check = async |rows: &str, expected| {
            let text = format!("#software: Lavf\n#tb 0: 1/12800\n{rows}");
            assert_eq!(has_one_set(text.as_bytes()).await.unwrap(), expected, "{rows}");
        };
        check("", true).await;
        check(
            "0, 0, 0, 512, 37, 0xbaf80a5b\n0, 9, 9, 512, 37, 0xbaf80a5b\n",
            true,
        )
        .await;
        check(
            "0, 0, 0, 512, 37, 0xbaf80a5b\n0, 9, 9, 512, 36, 0xa8580a43\n",
            false,
        )
        .await;
    }

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
