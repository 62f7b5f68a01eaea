//! Jobs and indexes of streams that are played now, in memory: viewers ask for them many times a second.

use super::{Growing, parts::Shelf};
use crate::http::problem::Problem;
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;
use vidp_common::store::Store;
use vidp_contract::{Output, Stage, StreamSet};
use vidp_record::{
    db::{Db, DbError},
    job::Job,
};

/// Time for which a job is not read again. A revocation takes effect after this time at the latest.
const JOB_LIFE: Duration = Duration::from_secs(3);
/// Jobs at most. A document may have some hundred kilobytes.
const MAX_JOBS: u64 = 256;
/// Time for which an index, or the id of a job, stays after its last use. An index never changes under its key.
const IDLE_LIFE: Duration = Duration::from_secs(600);
/// Ids of jobs with a valid grant at most.
const MAX_KNOWN: u64 = 10_000;
/// Bytes of indexes at most, and of those of growing streams.
const MAX_INDEXES: u64 = 64 << 20;
/// Bytes of a segment in memory, and of the rest of an index.
const SEGMENT: usize = 24;
const REST: usize = 4096;

/// The caches.
pub(crate) struct Library {
    jobs: Cache<Uuid, Arc<Job>>,
    /// Jobs of which a valid grant was seen.
    known: Cache<Uuid, ()>,
    /// `None` for an index that cannot be used.
    indexes: Cache<String, Option<Arc<StreamSet>>>,
    /// Growing streams by their task and plan.
    growing: Cache<(Uuid, String), Arc<Shelf>>,
}

impl Library {
    /// An empty library.
    pub(crate) fn new() -> Self {
        let weight = |_: &String, set: &Option<Arc<StreamSet>>| {
            let tracks = set.iter().flat_map(|set| set.tracks());
            let segments: usize = tracks.map(|track| track.segments.len()).sum();
            u32::try_from(REST + segments * SEGMENT).unwrap_or(u32::MAX)
        };
        Library {
            jobs: Cache::builder()
                .max_capacity(MAX_JOBS)
                .time_to_live(JOB_LIFE)
                .build(),
            known: Cache::builder()
                .max_capacity(MAX_KNOWN)
                .time_to_idle(IDLE_LIFE)
                .build(),
            indexes: Cache::builder()
                .max_capacity(MAX_INDEXES)
                .weigher(weight)
                .time_to_idle(IDLE_LIFE)
                .build(),
            growing: Cache::builder()
                .max_capacity(MAX_INDEXES)
                .weigher(|_: &(Uuid, String), shelf: &Arc<Shelf>| {
                    u32::try_from(REST + shelf.weight()).unwrap_or(u32::MAX)
                })
                .time_to_idle(IDLE_LIFE)
                .build(),
        }
    }

    /// True when a valid grant of the job was seen.
    pub(super) fn knows(&self, id: Uuid) -> bool {
        self.known.contains_key(&id)
    }

    /// Notes that a valid grant of the job was seen.
    pub(super) fn learn(&self, id: Uuid) {
        self.known.insert(id, ());
    }

    /// A job of any tenant; `None` when there is none. `is_fresh` reads it from the record in any case.
    pub(crate) async fn job(&self, db: &Db, id: Uuid, is_fresh: bool) -> Result<Option<Arc<Job>>, Problem> {
        if let Some(job) = self.jobs.get(&id).filter(|_| !is_fresh) {
            return Ok(Some(job));
        }
        match db.any(id).await {
            Ok(job) => {
                let job = Arc::new(job);
                self.jobs.insert(id, job.clone());
                Ok(Some(job))
            }
            Err(DbError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The index in this output.
    pub(crate) async fn index(&self, store: &Store, output: &Output) -> Result<Arc<StreamSet>, Problem> {
        let unusable = || Problem::internal(format!("the index {} cannot be used", output.key));
        if let Some(set) = self.indexes.get(&output.key) {
            return set.ok_or_else(unusable);
        }
        let text = store.read_at_most(&output.key, StreamSet::MAX_BYTES).await?;
        let text = text.ok_or_else(|| Problem::internal(format!("the index {} is missing", output.key)))?;
        let read = tokio::task::spawn_blocking(move || StreamSet::read(&text)).await;
        let set = read.map_err(Problem::internal)?;
        let set = set
            .inspect_err(|reason| tracing::error!(reason, "the index of a stream cannot be used"))
            .ok()
            .map(Arc::new);
        self.indexes.insert(output.key.clone(), set.clone());
        set.ok_or_else(unusable)
    }

    /// The stream of the job that can be played while its film is made, and whether these are all its parts. `None` when there is none, or
    /// its first part cannot be used.
    pub(crate) async fn growing(
        &self,
        store: &Store,
        job: &Job,
    ) -> Result<Option<(Arc<Growing>, bool)>, Problem> {
        let Some(state) = job.stages.get(&Stage::Scale) else {
            return Ok(None);
        };
        let Some(stream) = &state.stream else {
            return Ok(None);
        };
        let key = (state.task_id, stream.plan.clone());
        let shelf = self.growing.get_with(key.clone(), Arc::default);
        let before = shelf.weight();
        let (growing, are_all) = shelf.parts(store, job.id, state, stream).await?;
        if shelf.weight() != before {
            // The cache computes the weight of an entry only when it is inserted.
            self.growing.insert(key, shelf);
        }
        Ok(Some((growing, are_all)).filter(|(growing, _)| !growing.parts.is_empty()))
    }
}
