//! Limits of callers. Each replica counts requests, uploads and streams separately; jobs and bytes are counted in the
//! record, by [`vidp_pipeline::quota`].

mod address;
mod concurrent;
mod failures;
mod rate;

pub(crate) use address::of_client;
pub(crate) use failures::Stranger;
pub(crate) use rate::Allowance;

use crate::{
    auth::Caller,
    config::ApiConfig,
    http::problem::{Code, Problem},
};
use concurrent::Concurrent;
use failures::Failures;
use rate::Rate;
use std::net::IpAddr;
use uuid::Uuid;
use vidp_common::Counted;
use vidp_pipeline::{Pipeline, quota::QuotaError};
use vidp_record::db::Open;

/// Batches that a tenant may send at the same time. Each may be a document of 16 MiB in memory.
const BATCHES_PER_TENANT: usize = 4;
/// Downloads of players through the API at the same time, for one job.
const PLAYERS_PER_JOB: usize = 512;
/// Requests that a search counts for: it reads the whole list of a tenant.
const SEARCH_COST: u32 = 10;
/// Names the work that [`Limits::stream`] counts.
const OPEN_STREAMS: &str = "open event streams, long polls and downloads";

/// The limits, and the present counts.
pub(crate) struct Limits {
    /// Requests, by key.
    requests: Rate<String>,
    /// Failed authentications, by client address. They do not affect keys that this process knows.
    failures: Failures,
    /// Requests of players, by grant, and downloads of players through the API, by job.
    playback: Rate<String>,
    players: Concurrent,
    uploads: Concurrent,
    batches: Concurrent,
    key_streams: Concurrent,
    tenant_streams: Concurrent,
}

/// The right to one event stream, long poll or download; empty when nothing is counted.
#[derive(Debug, Default)]
pub(crate) struct StreamPermit {
    _key: Option<Counted>,
    _tenant: Option<Counted>,
}

impl Limits {
    /// Reads the limits from the settings; 0 means no limit.
    pub(crate) fn new(config: &ApiConfig) -> Self {
        Limits {
            requests: Rate::per_minute(config.requests_per_minute),
            failures: Failures::per_minute(config.failed_keys_per_minute),
            playback: Rate::per_minute(config.playback_requests_per_minute),
            players: Concurrent::new(
                PLAYERS_PER_JOB,
                Code::TooManyStreams,
                ("the job has", "downloads of players"),
            ),
            uploads: Concurrent::new(
                config.uploads_per_tenant,
                Code::TooManyUploads,
                ("the tenant has", "uploads in progress"),
            ),
            batches: Concurrent::new(
                BATCHES_PER_TENANT,
                Code::TooManyUploads,
                ("the tenant sends", "batches at the moment"),
            ),
            key_streams: Concurrent::new(
                config.streams_per_key,
                Code::TooManyStreams,
                ("the key has", OPEN_STREAMS),
            ),
            tenant_streams: Concurrent::new(
                config.streams_per_tenant,
                Code::TooManyStreams,
                ("the tenant has", OPEN_STREAMS),
            ),
        }
    }

    /// Counts a request. `None` without a limit or a key; a used-up allowance means 429.
    pub(crate) fn request(&self, caller: &Caller) -> Option<Allowance> {
        self.requests.take(caller.key_id.as_ref()?)
    }

    /// Counts the additional cost of a search; 429 when the allowance is used up.
    pub(crate) fn search(&self, caller: &Caller) -> Result<(), Problem> {
        let key = caller.key_id.as_ref();
        match key.and_then(|key| self.requests.take_many(key, SEARCH_COST - 1)) {
            Some(allowance) if allowance.is_used_up() => {
                Err(allowance.problem("too many searches with this key"))
            }
            _ => Ok(()),
        }
    }

    /// Admits a download of a player through the API; 429 when the job has too many. The answer holds the permit until its end.
    pub(crate) fn player(&self, job: Uuid) -> Result<StreamPermit, Problem> {
        Ok(StreamPermit {
            _key: None,
            _tenant: self.players.begin(&job.to_string())?,
        })
    }

    /// Counts a request of a player; `None` without a limit.
    pub(crate) fn playback(&self, grant: &str) -> Option<Allowance> {
        self.playback.take(&grant.to_owned())
    }

    /// The client of a request whose key is not checked yet.
    pub(crate) fn stranger(&self, address: Option<IpAddr>) -> Stranger<'_> {
        self.failures.stranger(address)
    }

    /// Admits a new upload of `bytes` bytes, 0 if unknown; 429 when the tenant has too many concurrent uploads, open jobs or
    /// stored bytes.
    ///
    /// The upload holds the permit until its end. `None` means that it is not counted.
    pub(crate) async fn upload(
        &self,
        pipeline: &Pipeline,
        caller: &Caller,
        bytes: u64,
    ) -> Result<Option<Counted>, Problem> {
        self.admit(pipeline, caller, Open { jobs: 1, bytes }).await?;
        self.append(caller)
    }

    /// Admits more of an admitted upload; 429 when the tenant has too many concurrent uploads.
    ///
    /// Its bytes count since they were announced: a second check could stop an upload that may no longer be finished.
    pub(crate) fn append(&self, caller: &Caller) -> Result<Option<Counted>, Problem> {
        match caller.key_id {
            None => Ok(None),
            Some(_) => self.uploads.begin(&caller.tenant),
        }
    }

    /// Admits jobs and bytes; 429 when the tenant would pass one of its quotas.
    pub(crate) async fn admit(&self, pipeline: &Pipeline, caller: &Caller, new: Open) -> Result<(), Problem> {
        // Limits apply only to authenticated callers.
        if caller.key_id.is_none() {
            return Ok(());
        }
        let admitted = pipeline.quota.admit(&pipeline.db, &caller.tenant, new);
        admitted.await.map_err(|error| match error {
            QuotaError::Reached(detail) => Problem::new(Code::QuotaExceeded, detail),
            QuotaError::Record(error) => error.into(),
        })
    }

    /// Admits a request with a batch; 429 when the tenant sends too many at the same time.
    pub(crate) fn batch(&self, caller: &Caller) -> Result<Option<Counted>, Problem> {
        match caller.key_id {
            Some(_) => self.batches.begin(&caller.tenant),
            None => Ok(None),
        }
    }

    /// Admits an event stream, a long poll or a download; 429 when the key or the tenant has too many.
    ///
    /// The answer holds the permit until its end.
    pub(crate) fn stream(&self, caller: &Caller) -> Result<StreamPermit, Problem> {
        Ok(match &caller.key_id {
            Some(key) => StreamPermit {
                _key: self.key_streams.begin(key)?,
                _tenant: self.tenant_streams.begin(&caller.tenant)?,
            },
            None => StreamPermit::default(),
        })
    }
}
