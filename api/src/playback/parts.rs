//! Reads the parts of a growing stream from the store. A part never changes.

use super::Growing;
use futures_util::{StreamExt, stream::iter};
use std::sync::Arc;
use uuid::Uuid;
use vidp_common::store::{Store, StoreError};
use vidp_contract::{Stage, StreamPart, keys};
use vidp_record::job::{GrowingStream, StageState};

/// Indexes of parts that are read at a time.
const READS: usize = 16;
/// Bytes in memory for each byte of an index: a segment has 8 characters at least, and then 24 bytes.
const EXPANSION: usize = 3;
/// Bytes in memory of a stream at most.
const MAX_WEIGHT: usize = 32 << 20;

/// The parts of a stream that have been read.
#[derive(Clone, Default)]
pub(super) struct Parts {
    /// The playlists.
    pub(super) growing: Arc<Growing>,
    /// Bytes in memory.
    pub(super) weight: usize,
    /// True when no part follows.
    is_closed: bool,
}

impl Parts {
    /// True when the record names no part that follows.
    pub(super) fn is_current(&self, state: &StageState, stream: &GrowingStream) -> bool {
        let has_all = self.growing.parts.len() >= stream.parts as usize;
        self.is_closed || (has_all && !state.status.is_terminal())
    }

    /// Reads the parts that follow, as many as the record names. At the end of the stage it reads all, because the last reports of
    /// progress may be lost. A part that cannot be used ends the stream before it.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn read_on(
        &self,
        store: &Store,
        job: Uuid,
        state: &StageState,
        stream: &GrowingStream,
    ) -> Result<Parts, StoreError> {
        let prefix = keys::stage_prefix(job, Stage::Scale);
        let folder = keys::task_folder(&prefix, state.task_id);
        let first = u32::try_from(self.growing.parts.len()).unwrap_or(u32::MAX);
        let end = match state.status.is_terminal() {
            true => u32::MAX,
            false => stream.parts,
        };
        let read = |number: u32| {
            let key = keys::stream_part(&prefix, state.task_id, &stream.plan, number);
            read_index(store, key, &folder)
        };
        let mut indexes = iter(first..end).map(read).buffered(READS);
        let mut growing = Growing::clone(&self.growing);
        let mut weight = self.weight;
        let mut refused = None;
        while let Some(index) = indexes.next().await {
            let pushed = index?.and_then(|(part, bytes)| {
                weight += bytes * EXPANSION;
                match weight > MAX_WEIGHT {
                    true => Err("the indexes of the stream are too large".to_owned()),
                    false => growing.push(part),
                }
            });
            if let Err(reason) = pushed {
                refused = Some(reason);
                break;
            }
        }
        let number = growing.parts.len();
        if let Some(reason) = &refused
            && number < stream.parts as usize
        {
            tracing::warn!(%job, number, reason, "a part of a growing stream cannot be used; its playlists end before it");
        }
        Ok(Parts {
            growing: Arc::new(growing),
            weight,
            is_closed: refused.is_some(),
        })
    }
}

/// Reads the index of a part, and returns it with its size in bytes, or the reason why it cannot be used.
async fn read_index(
    store: &Store,
    key: String,
    folder: &str,
) -> Result<Result<(StreamPart, usize), String>, StoreError> {
    match store.read_at_most(&key, StreamPart::MAX_BYTES).await {
        Ok(Some(text)) => Ok(StreamPart::read(&text, folder).map(|part| (part, text.len()))),
        Ok(None) => Ok(Err("it is missing".to_owned())),
        Err(error @ (StoreError::TooLarge { .. } | StoreError::Corrupt { .. })) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}
