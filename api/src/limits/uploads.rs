//! The limit of concurrent uploads per tenant.

use crate::http::problem::{Code, Problem};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

type Counts = Arc<Mutex<HashMap<String, usize>>>;

/// Counts the running uploads of each tenant.
pub(crate) struct Uploads {
    limit: usize,
    running: Counts,
}

/// The right to run one upload; returned when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    tenant: String,
    running: Counts,
}

impl Uploads {
    /// Allows `limit` concurrent uploads per tenant; 0 means no limit.
    pub(crate) fn new(limit: usize) -> Self {
        Uploads {
            limit,
            running: Counts::default(),
        }
    }

    /// Counts an upload; 429 at the limit. `None` without a limit.
    pub(crate) fn begin(&self, tenant: &str) -> Result<Option<Permit>, Problem> {
        if self.limit == 0 {
            return Ok(None);
        }
        let mut running = self.running.lock();
        let count = running.entry(tenant.to_owned()).or_default();
        if *count >= self.limit {
            let detail = format!(
                "the tenant has {count} uploads in progress, which is the limit; retry when one has ended"
            );
            return Err(Problem::new(Code::TooManyUploads, detail));
        }
        *count += 1;
        Ok(Some(Permit {
            tenant: tenant.to_owned(),
            running: self.running.clone(),
        }))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        if let Some(count) = running.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_a_limit_of_concurrent_uploads() {
        let uploads = Uploads::new(2);
        let begin = |tenant| uploads.begin(tenant).map_err(|problem| problem.code());
        let (first, second) = (begin("a").unwrap(), begin("a").unwrap());
        assert_eq!(begin("a").unwrap_err(), Code::TooManyUploads);
        assert!(begin("b").is_ok());
        drop(first);
        assert!(begin("a").is_ok());
        drop(second);
        assert!(uploads.running.lock().is_empty());
    }
}
