//! One part of the picture: one ffmpeg run encodes every rendition, and the files are checked.

use super::{
    cut::Part,
    files::{lacking, remove},
    film::Film,
};
use crate::{config::Settings, job::OnProgress};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;
use vidp_cmaf::Track;
use vidp_common::process::Limits;
use vidp_worker::{
    Attempt, StoredFile,
    ffmpeg::{self, Input, MediaError, process_limits},
};

/// Bytes of a second of media at most (400 Mbit/s), and of any part.
const MAX_BYTES_PER_SECOND: f64 = 50e6;
const MAX_BYTES_OF_ANY: u64 = 64 << 20;

/// A finished part.
pub(super) struct Chunk {
    pub(super) number: usize,
    /// A file for each rendition, in fragmented MP4.
    pub(super) paths: Vec<PathBuf>,
    /// The boxes of each file.
    pub(super) tracks: Vec<Track>,
    pub(super) facts: Facts,
    /// The objects with the bytes of the files; `None` before they are stored, or when the store failed.
    pub(super) stored: Option<Vec<StoredFile>>,
}

/// Facts about a part, beside its files.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Number of packets and pictures that ffmpeg skipped or repaired.
    pub(super) decode_errors: u64,
    /// Bytes of the source that were read from the store for this part alone.
    #[serde(default)]
    pub(super) fetched: u64,
}

/// Makes parts of a film at one worker.
pub(super) struct Encoder<'a> {
    pub(super) film: &'a Film,
    /// The name of the plan.
    pub(super) plan: &'a str,
    pub(super) settings: &'a Settings,
    pub(super) source: Input<'a>,
    pub(super) folder: &'a Path,
    /// Bytes that each file may have.
    pub(super) file_size: u64,
    pub(super) cancel: &'a CancellationToken,
}

impl Encoder<'_> {
    /// Makes a part. `on_progress` receives the seconds of the part that are done, and the speed.
    ///
    /// # Errors
    /// `damaged_media` when the part lacks pictures.
    pub(super) async fn make(&self, number: usize, on_progress: &OnProgress) -> Result<Chunk, MediaError> {
        let mut last = None;
        for seek in &self.film.parts[number].seeks {
            let decode_errors = self.encode(number, *seek, on_progress).await?;
            match self.check(number) {
                Ok(tracks) => {
                    let facts = Facts {
                        decode_errors,
                        fetched: 0,
                    };
                    return Ok(self.chunk(number, tracks, facts));
                }
                // Decoding began too late for the first pictures of the part.
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| lacking("has no place to begin")))
    }

    /// Fetches a part that is in the store; `None` when it cannot be used.
    pub(super) async fn fetch(&self, attempt: &Attempt, number: usize) -> Option<Chunk> {
        let paths = self.film.paths(number, self.folder);
        let (name, files) = (self.name(number), borrowed(&paths));
        let (facts, stored) = attempt.fetch_stored_part(&name, &files).await?;
        let tracks = self
            .check(number)
            .inspect_err(|error| tracing::warn!(number, "a stored part is made again: {error}"));
        let chunk = self.chunk(number, tracks.ok()?, facts);
        Some(Chunk {
            stored: Some(stored),
            ..chunk
        })
    }

    /// Stores a part.
    pub(super) async fn store(&self, attempt: &Attempt, chunk: &mut Chunk) {
        let name = self.name(chunk.number);
        chunk.stored = attempt
            .store_part(&name, &borrowed(&chunk.paths), &chunk.facts)
            .await;
    }

    /// The name of a part in the store.
    pub(super) fn name(&self, number: usize) -> String {
        format!("{}-{number:05}", self.plan)
    }

    fn chunk(&self, number: usize, tracks: Vec<Track>, facts: Facts) -> Chunk {
        let paths = self.film.paths(number, self.folder);
        Chunk {
            number,
            paths,
            tracks,
            facts,
            stored: None,
        }
    }

    async fn encode(
        &self,
        number: usize,
        seek: Option<i64>,
        on_progress: &OnProgress,
    ) -> Result<u64, MediaError> {
        let decoded = self.film.decoded(number, seek);
        let limits = Limits {
            file_size: self
                .file_size
                .min(MAX_BYTES_OF_ANY + (decoded * MAX_BYTES_PER_SECOND) as u64),
            ..process_limits(decoded)
        };
        let (on_progress, seconds) = (on_progress.clone(), self.film.seconds(number));
        // ffmpeg counts from the first picture of the part.
        let report = move |progressed: ffmpeg::Progressed| {
            on_progress(progressed.time_seconds.min(seconds), progressed.speed);
        };
        let args = self
            .film
            .args(self.settings, number, seek, &self.source.args(), self.folder);
        tracing::debug!(?args, "ffmpeg");
        let access = self.source.access().and_writing(self.folder);
        ffmpeg::run(&self.settings.tools, args, limits, &access, self.cancel, report)
            .await
            .map_err(MediaError::decoding)
    }

    /// Reads the files of a part and checks that they have its pictures.
    fn check(&self, number: usize) -> Result<Vec<Track>, MediaError> {
        let (part, paths) = (&self.film.parts[number], self.film.paths(number, self.folder));
        let tracks = paths
            .iter()
            .map(|path| read(path))
            .collect::<Result<Vec<_>, _>>()?;
        if self.film.keeps_every_frame && !has_all(part, &tracks) {
            remove(&paths);
            let found: Vec<u64> = tracks.iter().map(pictures).collect();
            let reason = format!("has {found:?} pictures instead of {}", part.pictures);
            return Err(lacking(&reason));
        }
        Ok(tracks)
    }
}

fn read(path: &Path) -> Result<Track, MediaError> {
    let file = File::open(path).map_err(MediaError::reading)?;
    let track = Track::read(BufReader::new(file)).map_err(|error| lacking(&error.to_string()))?;
    track.check().map_err(|error| lacking(&error.to_string()))?;
    Ok(track)
}

fn has_all(part: &Part, tracks: &[Track]) -> bool {
    tracks.iter().all(|track| part.is_complete(pictures(track)))
}

/// Number of pictures of a track.
fn pictures(track: &Track) -> u64 {
    let samples = track.fragments.iter().map(|one| u64::from(one.samples));
    samples.sum()
}

fn borrowed(paths: &[PathBuf]) -> Vec<&Path> {
    paths.iter().map(PathBuf::as_path).collect()
}
