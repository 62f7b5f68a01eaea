//! Decodes a track with ffmpeg to 32-bit floats at 16 kHz.

use super::{
    chunk::{CHUNK, RATE},
    decoder::{Decoder, Sound},
    mix::{Ear, Mixer},
};
use std::{
    ffi::OsString,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vidp_common::process::{self, Child, Limits, ProcessError};
use vidp_worker::ffmpeg::{AudioDetails, Input, MediaError, MediaLimits, Tools, has_matrix, process_limits};

/// Frames of a block: about 10 s, in whole chunks.
const BLOCK: usize = 312 * CHUNK;
/// Seconds that ffmpeg may write beyond the requested length, because it writes whole frames.
const SPARE_SECONDS: f64 = 1.0;
/// ffmpeg's message for each packet that it cannot decode.
const DECODE_ERROR: &str = "Error while decoding stream";
/// Share of undecodable packets from which the whole track is damaged. Renditions have the same limit.
const MAX_ERROR_SHARE: &str = "0.2";

/// An audio track of an input.
#[derive(Clone, Copy)]
pub(crate) struct Track<'a> {
    /// Path of ffmpeg.
    pub(crate) tools: &'a Tools,
    /// Limits of decoding.
    pub(crate) limits: &'a MediaLimits,
    /// File or ranges of an object.
    pub(crate) input: Input<'a>,
    /// The stream in the input.
    pub(crate) audio: &'a AudioDetails,
    /// The channels to decode. For [`Ear::Mix`], ffmpeg mixes a known layout to stereo.
    pub(crate) ear: Ear,
}

/// A decoded part of a track.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Samples of one channel: fewer than requested at the track's end or where the file is damaged.
    pub(crate) samples: Vec<f32>,
    /// Damage that ffmpeg reported; it explains missing samples.
    pub(crate) error: Option<MediaError>,
    /// Number of packets that could not be decoded.
    pub(crate) decode_errors: u64,
    /// True when the channels differ.
    pub(crate) distinct: bool,
}

/// What [`Track::stream`] decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    /// Frames from the input's start to the end of the track, including the silence of gaps.
    pub(crate) frames: usize,
    /// Number of packets that could not be decoded.
    pub(crate) decode_errors: u64,
}

/// An ffmpeg that decodes, with its count of undecodable packets.
struct Decoding {
    child: Child,
    errors: Arc<AtomicU64>,
}

impl Track<'_> {
    /// Decodes `length` seconds from `start` on, counted from the start of the input.
    ///
    /// # Errors
    /// Errors that do not concern the file: ffmpeg is missing, the network failed, or the task was cancelled.
    pub(crate) async fn piece(
        &self,
        start: f64,
        length: f64,
        cancel: &CancellationToken,
    ) -> Result<Piece, MediaError> {
        let seek = ["-ss".into(), format!("{start:.3}").into()];
        let mut decoding = self.decode(&seek, length, process_limits(length))?;
        let limit = max_frames(length);
        let mut decoder = Decoder::new(decoding.child.stdout(), limit);
        let stop = cancel.child_token();
        let reading = async {
            let sound = decoder.next(limit).await;
            if decoder.is_full() || sound.is_err() {
                stop.cancel();
            }
            sound.map_err(MediaError::reading)
        };
        let (sound, ended) = tokio::join!(reading, decoding.child.finish(&stop));
        let sound = sound?;
        let error = match ended.map_err(MediaError::decoding) {
            Ok(()) => None,
            Err(error @ MediaError::Media { .. }) => Some(error),
            Err(MediaError::Process(ProcessError::Cancelled)) if !cancel.is_cancelled() => None,
            Err(error) => return Err(error),
        };
        let mut mixer = Mixer::new(self.ear);
        Ok(Piece {
            samples: mixer.mix(sound),
            error,
            decode_errors: decoding.errors.load(Ordering::Relaxed),
            distinct: mixer.distinct() || self.is_mixed_by_ffmpeg(),
        })
    }

    /// Decodes the track and sends blocks of [`BLOCK`] frames to `blocks`. The last block may be shorter.
    ///
    /// Decoding waits while the channel is full, and it stops without an error when the receiver is dropped, or when
    /// ffmpeg writes more than the limit for all media. `duration` determines the time limit of ffmpeg. A track with a
    /// longer duration is decoded up to the limit for all media.
    pub(crate) async fn stream(
        &self,
        duration: f64,
        blocks: mpsc::Sender<Sound>,
        cancel: &CancellationToken,
    ) -> Result<Decoded, MediaError> {
        let longest = self.limits.max_duration_seconds;
        let tolerant = ["-max_error_rate".into(), MAX_ERROR_SHARE.into()];
        let mut decoding = self.decode(&tolerant, longest, process_limits(duration))?;
        let mut decoder = Decoder::new(decoding.child.stdout(), max_frames(longest));
        let mut reading = pin!(async move {
            let mut total = 0;
            loop {
                let block = decoder.next(BLOCK).await.map_err(MediaError::reading)?;
                let frames = block.samples.len() / block.channels.max(1);
                total += frames;
                let complete = frames == 0 && !decoder.is_full();
                if frames == 0 || blocks.send(block).await.is_err() {
                    return Ok::<_, MediaError>((total, complete));
                }
            }
        });
        let mut ended = pin!(decoding.child.finish(cancel));
        let frames = tokio::select! {
            read = &mut reading => {
                let (frames, complete) = read?;
                if complete {
                    ended.await.map_err(MediaError::decoding)?;
                }
                frames
            }
            end = &mut ended => {
                end.map_err(MediaError::decoding)?;
                reading.await?.0
            }
        };
        Ok(Decoded {
            frames,
            decode_errors: decoding.errors.load(Ordering::Relaxed),
        })
    }

    /// Starts ffmpeg, which writes at most `length` seconds. The arguments `first` precede the input.
    fn decode(&self, first: &[OsString], length: f64, allowed: Limits) -> Result<Decoding, MediaError> {
        let general = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"];
        let map = format!("0:{}", self.audio.index);
        let duration = format!("{length:.3}");
        let format = [
            "-ar",
            "16000",
            "-c:a",
            "pcm_f32le",
            "-map_metadata",
            "-1",
            "-map_chapters",
            "-1",
        ];
        let args = general
            .into_iter()
            .map(OsString::from)
            .chain(first.iter().cloned())
            .chain(self.limits.decode_args())
            // A layout that the file does not state stays unknown, so that ffmpeg leaves no channel out.
            .chain(["-guess_layout_max", "0"].map(OsString::from))
            // Without an offset, times of a broadcast count from the start of this track, not of the file.
            .chain(["-itsoffset", "0.000001"].map(OsString::from))
            .chain(self.input.args())
            .chain(["-map", &map, "-t", &duration].map(OsString::from))
            .chain(self.mix_args().iter().map(OsString::from))
            .chain(format.map(OsString::from))
            .chain(["-f", "matroska", "-live", "1", "pipe:1"].map(OsString::from));
        let errors = Arc::new(AtomicU64::new(0));
        let counted = errors.clone();
        let access = self.input.access();
        let child = process::spawn(&self.tools.ffmpeg, args, allowed, &access, move |line| {
            if line.contains(DECODE_ERROR) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        Ok(Decoding { child, errors })
    }

    /// Arguments that mix a known layout of more than two channels to stereo, with the weights of that layout.
    fn mix_args(&self) -> &'static [&'static str] {
        if self.is_mixed_by_ffmpeg() {
            &["-ac", "2"]
        } else {
            &[]
        }
    }

    /// True when ffmpeg mixes the track, and leaves out its low-frequency channel.
    pub(crate) fn is_mixed_by_ffmpeg(&self) -> bool {
        let layout = self.audio.layout.as_deref();
        self.ear == Ear::Mix && self.audio.channels > 2 && layout.is_some_and(has_matrix)
    }
}

/// Frames of `length` decoded seconds at most. A child that writes more is stopped.
fn max_frames(length: f64) -> usize {
    ((length + SPARE_SECONDS) * RATE as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

    /// Programs in the place of ffmpeg that never stop writing: sound, and other bytes.
    #[tokio::test]
    async fn a_child_writes_no_more_than_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ffmpeg");
        let tools = Tools {
            ffmpeg: program.clone(),
            ..Tools::default()
        };
        let limits = MediaLimits {
            max_duration_seconds: 30.0,
            ..MediaLimits::default()
        };
        let audio = AudioDetails::default();
        let track = Track {
            tools: &tools,
            limits: &limits,
            input: Input::File(Path::new("/dev/null")),
            audio: &audio,
            ear: Ear::Mix,
        };
        let never = CancellationToken::new();
        let decode = async |script: &str| {
            fs::write(&program, script).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            let piece = track.piece(0.0, 2.0, &never).await?;
            assert_eq!(piece.samples.len(), max_frames(2.0));
            let (blocks, mut waiting) = mpsc::channel(1);
            let reading = async { while waiting.recv().await.is_some() {} };
            let (decoded, ()) = tokio::join!(track.stream(2.0, blocks, &never), reading);
            assert_eq!(decoded?.frames, max_frames(30.0));
            Ok::<_, MediaError>(())
        };
        let bounded = async {
            let endless = "-f lavfi -i sine=r=16000 -c:a pcm_f32le -f matroska -live 1 pipe:1";
            decode(&format!("#!/bin/sh\nexec ffmpeg -v error {endless}\n"))
                .await
                .unwrap();
            let refused = decode("#!/bin/sh\nexec yes\n").await;
            assert!(
                matches!(refused, Err(MediaError::Process(ProcessError::Read { .. }))),
                "{refused:?}"
            );
        };
        let ended = tokio::time::timeout(Duration::from_secs(30), bounded).await;
        ended.expect("the child is stopped");
    }
}
