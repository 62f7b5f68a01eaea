//! Quotas of a tenant: its open jobs, the bytes of their sources, and all bytes that it has in the object store.

use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use vidp_record::db::{Db, DbError, Open};

/// Lifetime of a cached count of open jobs, which change often.
const OPEN_LIFE: Duration = Duration::from_secs(1);
/// Lifetime of a cached count of all stored bytes.
const STORED_LIFE: Duration = Duration::from_secs(10);
/// Lifetime of a cached count as a multiple of the time that it took. The sum of stored bytes reads one entry of an index for
/// each job: about a second for a million.
const LIFE_OF_SLOW: u32 = 50;

/// The limits of each tenant; 0 means no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Open jobs.
    pub open_jobs: u64,
    /// Bytes of the sources of open jobs.
    pub open_bytes: u64,
    /// Bytes in the object store.
    pub stored_bytes: u64,
}

/// Error of [`Quota::admit`].
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// The tenant has reached a limit. The text is a sentence for the client.
    #[error("{0}")]
    Reached(String),
    /// The record did not answer.
    #[error(transparent)]
    Record(#[from] DbError),
}

/// Checks the limits. Counts come from the record, and are cached for seconds.
pub struct Quota {
    limits: Limits,
    open: Cache,
    stored: Cache,
}

impl Quota {
    /// Creates the check of these limits.
    pub fn new(limits: Limits) -> Quota {
        Quota {
            limits,
            open: Cache::default(),
            stored: Cache::default(),
        }
    }

    /// Admits `new` jobs and bytes of a tenant, and counts them at once, before the record does.
    ///
    /// Only what other replicas admit during a cached count's life is not counted.
    pub async fn admit(&self, db: &Db, tenant: &str, new: Open) -> Result<(), QuotaError> {
        let Limits {
            open_jobs,
            open_bytes,
            stored_bytes,
        } = self.limits;
        if (open_jobs > 0 || open_bytes > 0) && !self.open.is_fresh(tenant) {
            self.open.read(tenant, OPEN_LIFE, db.open(tenant)).await?;
        }
        if stored_bytes > 0 && !self.stored.is_fresh(tenant) {
            self.stored.read(tenant, STORED_LIFE, db.stored(tenant)).await?;
        }
        let passes = |limit: u64, used: u64, new: u64| limit > 0 && used.saturating_add(new) > limit;
        let mb = |bytes: u64| bytes.div_ceil(1_000_000);
        self.open.add(tenant, new, |open| {
            if passes(open_jobs, open.jobs, new.jobs) {
                return Err(QuotaError::Reached(format!(
                    "the tenant has {} open jobs of at most {open_jobs}; retry when some have ended",
                    open.jobs
                )));
            }
            if passes(open_bytes, open.bytes, new.bytes) {
                return Err(QuotaError::Reached(format!(
                    "the tenant's open jobs have {} MB of sources, and {} MB more would pass the limit of {} MB; retry when \
                     some have ended",
                    mb(open.bytes),
                    mb(new.bytes),
                    mb(open_bytes)
                )));
            }
            self.stored.add(tenant, new, |stored| match passes(stored_bytes, stored.bytes, new.bytes) {
                false => Ok(()),
                true => Err(QuotaError::Reached(format!(
                    "the tenant stores {} MB, and {} MB more would pass the limit of {} MB; delete jobs or wait until some \
                     expire",
                    mb(stored.bytes),
                    mb(new.bytes),
                    mb(stored_bytes)
                ))),
            })
        })
    }
}

/// Counts of each tenant, with the time of their expiry.
#[derive(Default)]
struct Cache(Mutex<HashMap<String, (Open, Instant)>>);

impl Cache {
    fn is_fresh(&self, tenant: &str) -> bool {
        let counts = self.0.lock();
        counts
            .get(tenant)
            .is_some_and(|(_, until)| Instant::now() < *until)
    }

    /// Stores a new count for `life`, longer if it took long, and removes those of idle tenants.
    async fn read<E>(
        &self,
        tenant: &str,
        life: Duration,
        count: impl Future<Output = Result<Open, E>>,
    ) -> Result<(), E> {
        let begun = Instant::now();
        let open = count.await?;
        let now = Instant::now();
        let until = now + life.max((now - begun) * LIFE_OF_SLOW);
        let mut counts = self.0.lock();
        counts.retain(|_, (_, until)| now < *until);
        counts.insert(tenant.to_owned(), (open, until));
        Ok(())
    }

    /// Adds `new` to a tenant's count if `check` accepts the count before.
    fn add<E>(&self, tenant: &str, new: Open, check: impl FnOnce(Open) -> Result<(), E>) -> Result<(), E> {
        let mut counts = self.0.lock();
        let count = counts.get_mut(tenant);
        check(count.as_ref().map_or(Open::default(), |(open, _)| *open))?;
        if let Some((open, _)) = count {
            *open = open.plus(new);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_admitted_counts_at_once() {
        let (cache, life) = (Cache::default(), Duration::from_secs(60));
        let count = async { Ok::<_, ()>(Open { jobs: 0, bytes: 100 }) };
        cache.read("a", life, count).await.unwrap();
        let new = Open { jobs: 1, bytes: 400 };
        let admit = |tenant| {
            let fits = |open: Open| match open.bytes + new.bytes > 1000 {
                true => Err(open.bytes),
                false => Ok(()),
            };
            cache.add(tenant, new, fits)
        };
        assert_eq!([admit("a"), admit("a"), admit("a")], [Ok(()), Ok(()), Err(900)]);
        assert!(cache.is_fresh("a") && !cache.is_fresh("b"));
        assert_eq!(admit("b"), Ok(()));
    }
}
