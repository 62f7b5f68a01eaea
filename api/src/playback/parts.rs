//! Reads the parts of growing streams from the store, and keeps them in memory. A part never changes.

use super::Growing;
use futures_util::{StreamExt, stream::iter};
use parking_lot::Mutex;
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

/// A stream in memory.
#[derive(Default)]
pub(super) struct Shelf {
    parts: Mutex<Parts>,
    /// Held by the request that reads more parts.
    reading: tokio::sync::Mutex<()>,
}

impl Shelf {
    /// Bytes in memory.
    pub(super) fn weight(&self) -> usize {
        self.parts.lock().weight
    }

    /// The parts, and whether they are all that there are. While another request reads more of them, or the store fails, a viewer gets
    /// the ones in memory.
    ///
    /// # Errors
    /// The store failed before any part was read.
    pub(super) async fn parts(
        &self,
        store: &Store,
        job: Uuid,
        state: &StageState,
        stream: &GrowingStream,
    ) -> Result<(Arc<Growing>, bool), StoreError> {
        let known = self.parts.lock().clone();
        if known.is_current(state, stream) {
            return Ok((known.growing, true));
        }
        let has_some = !known.growing.parts.is_empty();
        let _reading = match self.reading.try_lock() {
            Ok(reading) => reading,
            Err(_) if has_some => return Ok((known.growing, false)),
            Err(_) => self.reading.lock().await,
        };
        let known = self.parts.lock().clone();
        if known.is_current(state, stream) {
            return Ok((known.growing, true));
        }
        match known.read_on(store, job, state, stream).await {
            Ok(parts) => {
                *self.parts.lock() = parts.clone();
                Ok((parts.growing, true))
            }
            Err(error) if has_some => {
                tracing::debug!(%job, "a growing stream is played without its new parts: {error}");
                Ok((known.growing, false))
            }
            Err(error) => Err(error),
        }
    }
}

/// The parts of a stream that have been read.
#[derive(Clone, Default)]
struct Parts {
    growing: Arc<Growing>,
    /// Bytes in memory.
    weight: usize,
}

impl Parts {
    /// True when the record names no part that follows.
    fn is_current(&self, state: &StageState, stream: &GrowingStream) -> bool {
        let has_all = self.growing.parts.len() >= stream.parts as usize;
        self.growing.is_closed || (has_all && !state.status.is_terminal())
    }

    /// Reads the parts that follow, as many as the record names. At the end of the stage it reads all, because the last reports of
    /// progress may be lost. A part that cannot be used ends the stream before it.
    ///
    /// # Errors
    /// The store failed.
    async fn read_on(
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
        let mut growing = self.growing.begin_next();
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
        growing.is_closed = refused.is_some();
        let number = growing.parts.len();
        if let Some(reason) = refused
            && number < stream.parts as usize
        {
            tracing::warn!(%job, number, reason, "a part of a growing stream cannot be used; its playlists end before it");
        }
        Ok(Parts {
            growing: Arc::new(growing),
            weight,
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
