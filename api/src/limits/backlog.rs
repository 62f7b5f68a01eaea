//! What a tenant has waiting: jobs that have not ended, and the bytes of their sources.

use crate::http::problem::{Code, Problem};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use vidp_record::db::{Db, Open};

/// How long a count is believed. What begins meanwhile is not counted, so that the limit is right to a second's uploads.
const CACHE_LIFE: Duration = Duration::from_secs(1);

/// Keeps the counts for a moment.
pub struct Backlog {
    jobs: u64,
    bytes: u64,
    known: Mutex<HashMap<String, (Open, Instant)>>,
}

impl Backlog {
    /// At most so many jobs, and so many GB (1,000,000,000 bytes) in them; 0 is no limit.
    pub fn new(jobs: u64, gigabytes: u64) -> Self {
        Backlog {
            jobs,
            bytes: gigabytes.saturating_mul(1_000_000_000),
            known: Mutex::default(),
        }
    }

    /// Refuses when there is too much.
    pub async fn check(&self, db: &Db, tenant: &str) -> Result<(), Problem> {
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
                let mut known = self.known.lock();
                known.retain(|_, (_, read)| read.elapsed() < CACHE_LIFE);
                known.insert(tenant.to_owned(), (open, Instant::now()));
                open
            }
        };
        let full = |limit, used| limit > 0 && used >= limit;
        let detail = if full(self.jobs, open.jobs) {
            format!("{} jobs have not ended yet", open.jobs)
        } else if full(self.bytes, open.bytes) {
            format!("{} MB are waiting to be processed", open.bytes / 1_000_000)
        } else {
            return Ok(());
        };
        Err(Problem::new(
            Code::QuotaExceeded,
            format!("{detail}: no more are taken until some have"),
        ))
    }

    fn fresh(&self, tenant: &str) -> Option<Open> {
        let known = self.known.lock();
        let (open, read) = known.get(tenant)?;
        (read.elapsed() < CACHE_LIFE).then_some(*open)
    }
}
