//! Makes renditions in parts: each part of the picture is encoded, checked and stored by itself, and then they are joined.
//!
//! The worker of the task plans the film (`film`, `cut`) and offers parts to other workers (`helpers`, `board`), which make them
//! from the plan (`help`). It makes those that no other worker takes (`work`, `chunk`), and the sound, and joins all (`join`).
//!
//! A film whose stream is asked for is published part by part (`publish`), with the sound that exists (`growing`).
//!
//! A worker that is stopped or dies loses one part. The next delivery of the task uses the stored ones. All arguments are
//! in the name of the plan, so that a worker with other settings makes its own parts. A part of another worker that does not fit
//! is made again. A film whose parts do not fit together is made in one piece.

mod args;
mod board;
mod chunk;
mod cut;
mod files;
mod film;
mod growing;
mod help;
mod helpers;
mod join;
mod lead;
mod publish;
mod sound;
mod work;

pub(crate) use {film::hash, help::help};

use crate::job::{Job, OnProgress, Target};
use chunk::Encoder;
use film::Film;
use lead::Lead;
use vidp_worker::ffmpeg::{Input, MediaError};
use work::Made;

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
    let Some(film) = Film::plan(job, targets).await? else {
        return Ok(None);
    };
    tracing::info!(parts = film.parts.len(), "encoding in parts");
    let lead = Lead {
        job,
        encoder: Encoder {
            plan: &film.name(job.settings),
            film: &film,
            settings: job.settings,
            source: Input::File(job.source),
            folder: job.folder,
            // The parts, their sound and a finished file need space at the same time.
            file_size: file_size / 3,
            cancel: job.cancel,
        },
    };
    match lead.make(on_progress).await {
        Err(MediaError::Media { code, detail }) => {
            tracing::info!(%code, detail, "the parts do not make a film; encoding in one piece");
            lead.discard();
            if let Some(attempt) = job.attempt {
                attempt.progress_of_parts(None);
            }
            Ok(None)
        }
        made => made.map(Some),
    }
}
