//! The limit of a tenant's open jobs and of the bytes in their sources.

use crate::http::problem::{Code, Problem};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use vidp_record::db::{Db, Open};

/// Lifetime of a cached count. Uploads that begin meanwhile are not counted, so the limit can be exceeded by the uploads
/// of one second.
const CACHE_LIFE: Duration = Duration::from_secs(1);

/// Checks the limit, and caches the counts of each tenant for a second.
pub(crate) struct Backlog {
    jobs: u64,
    bytes: u64,
    cache: Mutex<HashMap<String, (Open, Instant)>>,
}

impl Backlog {
    /// Limits a tenant to `jobs` open jobs with `gigabytes` (1,000,000,000 bytes each) of sources; 0 means no limit.
    pub(crate) fn new(jobs: u64, gigabytes: u64) -> Self {
        Backlog {
            jobs,
            bytes: gigabytes.saturating_mul(1_000_000_000),
            cache: Mutex::default(),
        }
    }

    /// 429 when the tenant has reached a limit.
    pub(crate) async fn check(&self, db: &Db, tenant: &str) -> Result<(), Problem> {
        if self.jobs == 0 && self.bytes == 0 {
            return Ok(());
        }
        let open = match self.fresh(tenant) {
            Some(open) => open,
            None => {
                let (jobs, files) = (db.open_of(tenant).await?, db.open_resumables(tenant).await?);
                let open = Open {
                    jobs: jobs.jobs + files.jobs,
                    bytes: jobs.bytes + files.bytes,
                };
                let mut cache = self.cache.lock();
                cache.retain(|_, (_, read)| read.elapsed() < CACHE_LIFE);
                cache.insert(tenant.to_owned(), (open, Instant::now()));
                open
            }
        };
        let full = |limit, used| limit > 0 && used >= limit;
        let detail = if full(self.jobs, open.jobs) {
            format!("the tenant has {} open jobs", open.jobs)
        } else if full(self.bytes, open.bytes) {
            format!(
                "the tenant's open jobs have {} MB of sources",
                open.bytes / 1_000_000
            )
        } else {
            return Ok(());
        };
        Err(Problem::new(
            Code::QuotaExceeded,
            format!("{detail}, which is the limit; retry when some have ended"),
        ))
    }

    fn fresh(&self, tenant: &str) -> Option<Open> {
        let cache = self.cache.lock();
        let (open, read) = cache.get(tenant)?;
        (read.elapsed() < CACHE_LIFE).then_some(*open)
    }
}
