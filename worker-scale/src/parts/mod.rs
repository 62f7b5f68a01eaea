//! Makes renditions in parts: each part of the picture is encoded, checked and stored by itself, and then they are joined.
//!
//! A worker that is stopped or dies loses one part. The next delivery of the task uses the stored ones.
//! Everything that could differ between two workers is in the name of a part (`Film::recipe`), so that a worker with other
//! settings makes its own parts. A film whose parts do not fit together is made in one piece.

mod chunk;
mod film;
mod join;
mod plan;
mod sound;

use crate::{
    codec::Rate,
    job::{Job, OnProgress, Rendition, Target},
    read_back::read_back,
};
use film::Film;
use sha2::{Digest, Sha256};
use std::time::Instant;
use vidp_contract::hex;
use vidp_worker::ffmpeg::{self, Input, MediaError, TICKS};

/// Containers with an index, in which a seek finds a key frame exactly.
const INDEXED_CONTAINERS: [&str; 4] = ["mov", "matroska", "avi", "flv"];
/// Parts of a film at least. Fewer save nothing.
const MIN_PARTS: usize = 3;
/// Bytes of the recipe's hash in the name of a part.
const RECIPE: usize = 8;

/// Renditions that were made in parts.
pub(crate) struct Made {
    /// Number of parts.
    pub(crate) parts: usize,
    /// The renditions, each probed and complete.
    pub(crate) renditions: Vec<Rendition>,
    /// Number of packets and pictures that ffmpeg skipped or repaired.
    pub(crate) decode_errors: u64,
}

/// Makes the renditions in parts. `None`: the film must be made in one piece.
///
/// # Errors
/// A failure of the machine, or a cancellation.
pub(crate) async fn make(
    job: &Job<'_>,
    targets: &[Target],
    file_size: u64,
    on_progress: &OnProgress,
) -> Result<Option<Made>, MediaError> {
    let Some(film) = Film::plan(job, targets, file_size).await? else {
        return Ok(None);
    };
    tracing::info!(parts = film.parts.len(), "encoding in parts");
    match film.make(on_progress).await {
        Err(MediaError::Media { code, detail }) => {
            tracing::info!(%code, detail, "the parts do not make a film; encoding in one piece");
            film.discard();
            Ok(None)
        }
        made => made.map(Some),
    }
}

impl Film<'_> {
    async fn plan<'a>(
        job: &'a Job<'a>,
        targets: &'a [Target],
        file_size: u64,
    ) -> Result<Option<Film<'a>>, MediaError> {
        let seconds = job.settings.part_seconds(job.probe.facts.duration);
        // The parts, their sound and a finished file need space at the same time.
        let file_size = file_size / 3;
        let is_possible = |target: &Target| matches!(target.rate, Rate::Quality { .. });
        if job.probe.facts.duration < f64::from(seconds) * MIN_PARTS as f64
            || !targets.iter().all(is_possible)
        {
            return Ok(None);
        }
        let (track, details) = job.video()?;
        let (tools, input) = (&job.settings.tools, Input::File(job.source));
        let Some(packets) = ffmpeg::packets(tools, input, details.index, job.cancel).await? else {
            return Ok(None);
        };
        let origin = (job.probe.start * f64::from(TICKS)).round() as i64;
        let container = job.probe.facts.container.as_str();
        let is_indexed = INDEXED_CONTAINERS.iter().any(|name| container.starts_with(name));
        // A picture of two fields needs the picture before it.
        let parts = plan::cut(&packets, origin, seconds, is_indexed && !track.interlaced);
        if parts.len() < MIN_PARTS {
            return Ok(None);
        }
        let mut film = Film {
            job,
            targets,
            parts,
            origin,
            recipe: String::new(),
            file_size,
        };
        film.recipe = film.recipe()?;
        Ok(Some(film))
    }

    /// A hash of everything on which the parts depend: all arguments of all runs, without the folder.
    fn recipe(&self) -> Result<String, MediaError> {
        let mut hash = Sha256::new();
        for (number, part) in self.parts.iter().enumerate() {
            for arg in self.chunk_args(number, part, part.seeks[0])? {
                let arg = arg
                    .to_string_lossy()
                    .replace(&*self.job.folder.to_string_lossy(), "");
                hash.update(arg.as_bytes());
                hash.update([0]);
            }
        }
        Ok(hex(&hash.finalize()[..RECIPE]))
    }

    async fn make(&self, on_progress: &OnProgress) -> Result<Made, MediaError> {
        let mut decode_errors = self.sound().await?;
        let mut joined = self.joined()?;
        let mut unstored: Option<chunk::Chunk> = None;
        for (number, part) in self.parts.iter().enumerate() {
            let started = Instant::now();
            // The part before is stored meanwhile: the network waits for nothing.
            let (made, ()) = tokio::join!(
                self.chunk(number, part, on_progress),
                self.store(unstored.as_ref())
            );
            if let Some(chunk) = unstored.take() {
                joined.append(&chunk)?;
            }
            let chunk = made?;
            let (begin, end) = (self.second(part.start, 0.0), self.end(part));
            let speed = (end - begin) / started.elapsed().as_secs_f64().max(0.001);
            on_progress((end / self.job.probe.facts.duration).min(1.0), speed);
            decode_errors += chunk.facts.decode_errors;
            unstored = Some(chunk);
        }
        self.store(unstored.as_ref()).await;
        if let Some(chunk) = unstored {
            joined.append(&chunk)?;
        }
        self.join(&joined).await?;
        Ok(Made {
            parts: self.parts.len(),
            renditions: read_back(self.job, self.targets).await?,
            decode_errors,
        })
    }
}
