//! One part of the picture: one ffmpeg run encodes every rendition, and the files are checked.

use super::{
    film::{Film, disk, remove},
    plan::Part,
};
use crate::{
    codec::{self, Pass},
    graph::{Cut, frame_rate, graph},
    job::{OnProgress, Target},
    ladder::Rung,
    verify::keeps_every_frame,
};
use serde::{Deserialize, Serialize};
use std::{ffi::OsString, fs::File, io::BufReader, path::Path, path::PathBuf};
use vidp_cmaf::Track;
use vidp_common::process::Limits;
use vidp_contract::FailureCode;
use vidp_worker::ffmpeg::{self, Input, MediaError, TICKS, process_limits};

/// Bytes of a second of media at most (400 Mbit/s), and of any part.
const MAX_BYTES_PER_SECOND: f64 = 50e6;
const MAX_BYTES_OF_ANY: u64 = 64 << 20;

/// A finished part.
pub(super) struct Chunk {
    name: String,
    /// A file for each target, in fragmented MP4.
    pub(super) paths: Vec<PathBuf>,
    /// The boxes of each file.
    pub(super) tracks: Vec<Track>,
    pub(super) facts: Facts,
    is_stored: bool,
}

/// Facts about a part, beside its files.
#[derive(Serialize, Deserialize)]
pub(super) struct Facts {
    /// Number of packets and pictures that ffmpeg skipped or repaired.
    pub(super) decode_errors: u64,
}

impl Film<'_> {
    /// The part `number`: fetched, if an earlier delivery has made it, else encoded.
    ///
    /// # Errors
    /// `damaged_media` when the part lacks pictures.
    pub(super) async fn chunk(
        &self,
        number: usize,
        part: &Part,
        on_progress: &OnProgress,
    ) -> Result<Chunk, MediaError> {
        let (name, mut paths) = (self.name(&format!("{number:05}")), self.paths(number));
        if part.pictures == 0 {
            // One picture is shown for longer than the part lasts. An encoder without pictures may wait for ever (SVT-AV1).
            paths.clear();
            return Ok(Chunk {
                name,
                paths,
                tracks: Vec::new(),
                facts: Facts { decode_errors: 0 },
                is_stored: true,
            });
        }
        let files: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        if let Some(attempt) = self.job.attempt
            && let Some(facts) = attempt.fetch_part::<Facts>(&name, &files).await
            && let Ok(tracks) = self.check(part, &paths)
        {
            return Ok(Chunk {
                name,
                paths,
                tracks,
                facts,
                is_stored: true,
            });
        }
        let mut last = None;
        for seek in &part.seeks {
            let decode_errors = self.encode(number, part, *seek, on_progress).await?;
            match self.check(part, &paths) {
                Ok(tracks) => {
                    return Ok(Chunk {
                        name,
                        paths,
                        tracks,
                        facts: Facts { decode_errors },
                        is_stored: false,
                    });
                }
                // Decoding began too late for the first pictures of the part.
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| lacking("has no place to begin")))
    }

    /// Stores a part, unless it comes from the store.
    pub(super) async fn store(&self, chunk: Option<&Chunk>) {
        if let Some(chunk) = chunk.filter(|chunk| !chunk.is_stored)
            && let Some(attempt) = self.job.attempt
        {
            let files: Vec<&Path> = chunk.paths.iter().map(PathBuf::as_path).collect();
            attempt.store_part(&chunk.name, &files, &chunk.facts).await;
        }
    }

    async fn encode(
        &self,
        number: usize,
        part: &Part,
        seek: Option<i64>,
        on_progress: &OnProgress,
    ) -> Result<u64, MediaError> {
        let (begin, end) = (self.second(part.start, 0.0), self.end(part));
        let decoded = (end - self.second(seek, 0.0)).max(0.0);
        let limits = Limits {
            file_size: self
                .file_size
                .min(MAX_BYTES_OF_ANY + (decoded * MAX_BYTES_PER_SECOND) as u64),
            ..process_limits(decoded)
        };
        let (on_progress, film) = (on_progress.clone(), self.job.probe.facts.duration);
        // ffmpeg counts from the first picture of the part.
        let report = move |progressed: ffmpeg::Progressed| {
            let second = (begin + progressed.time_seconds).min(end);
            on_progress((second / film).min(1.0), progressed.speed);
        };
        let args = self.chunk_args(number, part, seek)?;
        tracing::debug!(?args, "ffmpeg");
        let (tools, access) = (&self.job.settings.tools, self.job.access());
        ffmpeg::run(tools, args, limits, &access, self.job.cancel, report)
            .await
            .map_err(MediaError::decoding)
    }

    /// All arguments of the run that makes a part, with decoding from `seek`.
    pub(super) fn chunk_args(
        &self,
        number: usize,
        part: &Part,
        seek: Option<i64>,
    ) -> Result<Vec<OsString>, MediaError> {
        let job = self.job;
        let (track, details) = job.video()?;
        let mut args: Vec<OsString> = job.settings.limits.decode_args().into();
        // Times stay those of the file, so that every run agrees on them.
        args.extend(["-max_error_rate", "0.2", "-copyts"].map(OsString::from));
        if let Some(seek) = seek {
            // ffmpeg counts from the start of the file.
            let seconds = (seek - self.origin) as f64 / f64::from(TICKS);
            args.extend([
                "-noaccurate_seek".into(),
                "-ss".into(),
                format!("{seconds:.6}").into(),
            ]);
        }
        args.extend(Input::File(job.source).args());
        let rungs: Vec<Rung> = self.targets.iter().map(|target| target.rung.clone()).collect();
        let cut = Cut {
            start: part.start,
            end: part.end,
            origin: self.origin,
        };
        args.extend([
            "-filter_complex".into(),
            graph(track, details, &rungs, Some(&cut)).into(),
        ]);
        for (k, (target, path)) in self.targets.iter().zip(self.paths(number)).enumerate() {
            args.extend(["-map".into(), format!("[v{k}]").into()]);
            args.extend(
                self.video_args(target, frame_rate(track))
                    .into_iter()
                    .map(OsString::from),
            );
            args.extend(["-map_metadata", "-1", "-map_chapters", "-1", "-f", "mp4"].map(OsString::from));
            let flags = "+cmaf+frag_keyframe+frag_discont+skip_trailer";
            args.extend(["-movflags".into(), flags.into(), path.into()]);
        }
        Ok(args)
    }

    fn video_args(&self, target: &Target, fps: f64) -> Vec<String> {
        let codec = self.job.options.codec;
        codec::video(
            codec,
            &target.rate,
            Pass::Only,
            &self.job.settings.x264_preset,
            Path::new(""),
            fps,
        )
    }

    /// Reads the files of a part and checks that they have its pictures, each within its times.
    fn check(&self, part: &Part, paths: &[PathBuf]) -> Result<Vec<Track>, MediaError> {
        let mut tracks = Vec::new();
        for path in paths {
            let file = File::open(path).map_err(disk)?;
            let track = Track::read(BufReader::new(file)).map_err(|error| lacking(&error.to_string()))?;
            track.check().map_err(|error| lacking(&error.to_string()))?;
            tracks.push(track);
        }
        let pictures = |track: &Track| {
            track
                .fragments
                .iter()
                .map(|one| u64::from(one.samples))
                .sum::<u64>()
        };
        let has_all = tracks.iter().all(|track| {
            // A rate that was lowered, and fields, make fewer pictures.
            !keeps_every_frame(self.job.probe) || part.is_complete(pictures(track))
        });
        if !has_all {
            remove(paths);
            let found: Vec<u64> = tracks.iter().map(pictures).collect();
            return Err(lacking(&format!(
                "has {found:?} pictures instead of {}",
                part.pictures
            )));
        }
        Ok(tracks)
    }
}

/// The error of a part that cannot be used. Its film is made in one piece.
pub(super) fn lacking(reason: &str) -> MediaError {
    MediaError::media(FailureCode::DamagedMedia, format!("a part of the film {reason}"))
}
