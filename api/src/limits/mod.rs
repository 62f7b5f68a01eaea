//! Limits of authenticated callers. Each replica counts requests and uploads separately; open jobs are counted in the
//! record.

mod address;
mod backlog;
mod rate;
mod uploads;

pub(crate) use address::of_client;
pub(crate) use rate::Allowance;
pub(crate) use uploads::Permit;

use crate::{auth::Caller, config::ApiConfig, http::problem::Problem};
use backlog::Backlog;
use rate::Rate;
use std::net::IpAddr;
use uploads::Uploads;
use vidp_record::db::Db;

/// The limits, and the present counts.
pub(crate) struct Limits {
    /// Requests, by key.
    requests: Rate<String>,
    /// Failed authentications, by client address. They do not affect valid keys from the same address.
    failures: Rate<IpAddr>,
    uploads: Uploads,
    backlog: Backlog,
}

impl Limits {
    /// Reads the limits from the settings; 0 means no limit.
    pub(crate) fn new(config: &ApiConfig) -> Self {
        Limits {
            requests: Rate::per_minute(config.requests_per_minute),
            failures: Rate::per_minute(config.failed_keys_per_minute),
            uploads: Uploads::new(config.uploads_per_tenant),
            backlog: Backlog::new(config.open_jobs_per_tenant, config.open_gb_per_tenant),
        }
    }

    /// Counts a request. `None` without a limit or a key; a used-up allowance means 429.
    pub(crate) fn request(&self, caller: &Caller) -> Option<Allowance> {
        self.requests.take(caller.key_id.as_ref()?)
    }

    /// Counts a failed authentication, and returns the response: `problem`, or 429 for an address with too many failures.
    pub(crate) fn failed(&self, address: Option<IpAddr>, problem: Problem) -> Problem {
        let allowance = address.and_then(|address| self.failures.take(&address));
        match allowance {
            Some(allowance) if allowance.is_used_up() => allowance.problem("too many failed authentications"),
            _ => problem,
        }
    }

    /// Admits an upload; 429 when the tenant has too many concurrent uploads or too many open jobs.
    ///
    /// The upload holds the permit until its end. `None` means that it is not counted.
    pub(crate) async fn upload(&self, db: &Db, caller: &Caller) -> Result<Option<Permit>, Problem> {
        // Limits apply only to authenticated callers.
        if caller.key_id.is_none() {
            return Ok(None);
        }
        self.backlog.check(db, &caller.tenant).await?;
        self.uploads.begin(&caller.tenant)
    }
}
