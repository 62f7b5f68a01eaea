//! How much of the API one client may use, when it has to show a key. Each replica counts requests and uploads for
//! itself; what a tenant has waiting is counted in the record.

mod address;
mod backlog;
mod rate;
mod uploads;

pub use address::of_client;
pub use rate::Allowance;
pub use uploads::Permit;

use crate::{auth::Caller, config::ApiConfig, http::problem::Problem};
use backlog::Backlog;
use rate::Rate;
use std::net::IpAddr;
use uploads::Uploads;
use vidp_record::db::Db;

/// What is counted.
pub struct Limits {
    /// Requests, by key.
    requests: Rate<String>,
    /// Keys that were no good, by address. Owners of good ones behind the same address are not held up.
    failures: Rate<IpAddr>,
    uploads: Uploads,
    backlog: Backlog,
}

impl Limits {
    /// By the settings; 0 is no limit.
    pub fn new(config: &ApiConfig) -> Self {
        Limits {
            requests: Rate::per_minute(config.requests_per_minute),
            failures: Rate::per_minute(config.failed_keys_per_minute),
            uploads: Uploads::new(config.uploads_per_tenant),
            backlog: Backlog::new(config.open_jobs_per_tenant, config.open_gb_per_tenant),
        }
    }

    /// Counts a request; `None` when nothing is counted. An allowance that is used up is for a 429.
    pub fn request(&self, caller: &Caller) -> Option<Allowance> {
        self.requests.take(caller.key_id.as_ref()?)
    }

    /// Counts a key that was no good, and says what to answer: after too many, that the address shall wait.
    pub fn failed(&self, address: Option<IpAddr>, problem: Problem) -> Problem {
        let allowance = address.and_then(|address| self.failures.take(&address));
        match allowance {
            Some(allowance) if allowance.is_used_up() => allowance.problem("too many keys that are no good"),
            _ => problem,
        }
    }

    /// Lets an upload begin, if its tenant has few others going on and not too much waiting. The upload holds the permit
    /// until its end.
    pub async fn upload(&self, db: &Db, caller: &Caller) -> Result<Option<Permit>, Problem> {
        // Who is asked for no key is counted by nobody.
        if caller.key_id.is_none() {
            return Ok(None);
        }
        self.backlog.check(db, &caller.tenant).await?;
        self.uploads.begin(&caller.tenant)
    }
}
