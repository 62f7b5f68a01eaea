//! Uploads that go on at the same time, by tenant.

use crate::http::problem::{Code, Problem};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

type Counts = Arc<Mutex<HashMap<String, usize>>>;

/// Counts them.
pub struct Uploads {
    limit: usize,
    running: Counts,
}

/// One of them; ends when it is dropped.
#[derive(Debug)]
pub struct Permit {
    tenant: String,
    running: Counts,
}

impl Uploads {
    /// At most so many for each tenant; 0 is no limit.
    pub fn new(limit: usize) -> Self {
        Uploads {
            limit,
            running: Counts::default(),
        }
    }

    /// Counts one more, or refuses it.
    pub fn begin(&self, tenant: &str) -> Result<Option<Permit>, Problem> {
        if self.limit == 0 {
            return Ok(None);
        }
        let mut running = self.running.lock();
        let count = running.entry(tenant.to_owned()).or_default();
        if *count >= self.limit {
            let detail = format!("{count} uploads are going on already, and more are not taken at once");
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
    fn a_tenant_has_so_many_at_once() {
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
