//! Decodes a track while a model listens to it.

use crate::{
    audio::{
        decoder::Sound,
        track::{Decoded, Track},
    },
    model::engine::task_error,
};
use anyhow::{Context, Result};
use std::iter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vidp_worker::TaskError;

/// Decoded blocks that may wait for the model, so that decoding and the model run at the same time.
const MAX_QUEUED_BLOCKS: usize = 2;

/// Runs `work` on the blocks of a track, outside the threads of the async runtime. Decoding stops when it returns.
///
/// The token that `work` receives is cancelled when the task is, or when the track cannot be decoded.
pub(crate) async fn feed<T: Send + 'static>(
    track: &Track<'_>,
    duration: f64,
    cancel: &CancellationToken,
    work: impl FnOnce(&mut dyn Iterator<Item = Sound>, &CancellationToken) -> Result<T> + Send + 'static,
) -> Result<(T, Decoded), TaskError> {
    let stop = cancel.child_token();
    let _stop_on_return = stop.clone().drop_guard();
    let (blocks, mut waiting) = mpsc::channel(MAX_QUEUED_BLOCKS);
    let span = tracing::info_span!("process", program = "whisper");
    let model = tokio::task::spawn_blocking(move || {
        let _in_span = span.entered();
        work(&mut iter::from_fn(|| waiting.blocking_recv()), &stop)
    });
    let both = async {
        let decoded = track.stream(duration, blocks, cancel).await?;
        let done = model
            .await
            .context("the speech model's thread ended unexpectedly");
        Ok((done.flatten().map_err(task_error)?, decoded))
    };
    // A step of a large model may take long, so a cancellation does not wait for its end.
    tokio::select! {
        done = both => done,
        () = cancel.cancelled() => Err(TaskError::Cancelled),
    }
}
