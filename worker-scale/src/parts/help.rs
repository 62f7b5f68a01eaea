//! Makes one part of a film whose task another worker runs.

use super::{
    chunk::{Encoder, Facts},
    film::Film,
    helpers,
};
use crate::config::Settings;
use std::sync::Arc;
use vidp_contract::{FailureCode, PartOffer};
use vidp_worker::{Attempt, TaskError, ffmpeg::Input};

/// Makes and stores an offered part, and reads only its share of the source.
///
/// # Errors
/// `internal` when the plan is missing or this worker would make another part; those of [`crate::encode()`] and of the object
/// store. The worker of the task then makes the part.
pub(crate) async fn help(attempt: &Attempt, settings: &Settings, offer: &PartOffer) -> Result<(), TaskError> {
    let refused = |detail: &str| TaskError::fail(FailureCode::Internal, detail);
    let path = attempt.scratch.join("plan.json");
    let plan = attempt
        .fetch_part::<()>(&helpers::plan(&offer.plan), &[&path])
        .await;
    plan.ok_or_else(|| refused("the plan of the film is missing"))?;
    let film = Film::read(&path).map_err(|error| refused(&format!("the plan is invalid: {error:#}")))?;
    let number = offer.number as usize;
    if number >= film.parts.len() || film.name(settings) != offer.plan {
        return Err(refused("the film was planned by a worker with other settings"));
    }
    if !film.blocks.fit(attempt.task.source.size) {
        return Err(refused("the plan is that of another source"));
    }
    let source = attempt.source_ranges(Some(film.blocks.clone()))?;
    let space = settings.space(&attempt.scratch, 0);
    let encoder = Encoder {
        film: &film,
        plan: &offer.plan,
        settings,
        source: Input::Ranges(&source),
        folder: &attempt.scratch,
        file_size: space / film.targets.len() as u64,
        cancel: &attempt.cancel,
    };
    let made = attempt.part_facts::<Facts>(&encoder.name(number)).await;
    if made.map_err(TaskError::Retry)?.is_some() {
        return Ok(());
    }
    let made = encoder.make(number, &(Arc::new(|_, _| {}) as _)).await;
    // ffmpeg takes a broken connection for the end of the file.
    source.check()?;
    let mut chunk = made?;
    chunk.facts.fetched = source.bytes_read();
    encoder.store(attempt, &mut chunk).await;
    Ok(())
}
