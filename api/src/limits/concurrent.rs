//! Limits of concurrent work: uploads, batches and streams.

use crate::http::problem::{Code, Problem};
use vidp_common::{Counted, Counts};

/// Counts the running work of one kind by its owner: a tenant or a key.
pub(crate) struct Concurrent {
    limit: usize,
    code: Code,
    /// The limit in words, for example `the tenant has 2 uploads in progress`, around the number.
    words: (&'static str, &'static str),
    running: Counts,
}

impl Concurrent {
    /// Allows each owner `limit` pieces of work at the same time; 0 means no limit. `code` and `words` report the limit.
    pub(crate) fn new(limit: usize, code: Code, words: (&'static str, &'static str)) -> Self {
        Concurrent {
            limit,
            code,
            words,
            running: Counts::default(),
        }
    }

    /// Counts a piece of work until the returned value is dropped; 429 at the limit. `None` without a limit.
    pub(crate) fn begin(&self, owner: &str) -> Result<Option<Counted>, Problem> {
        if self.limit == 0 {
            return Ok(None);
        }
        let begun = self.running.begin_below(owner, self.limit);
        begun.map(Some).map_err(|count| {
            let (before, after) = self.words;
            let detail = format!("{before} {count} {after}, which is the limit; retry when one has ended");
            Problem::new(self.code, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_a_limit_of_concurrent_uploads() {
        let words = ("the tenant has", "uploads in progress");
        let uploads = Concurrent::new(2, Code::TooManyUploads, words);
        let begin = |tenant| uploads.begin(tenant).map_err(|problem| problem.code());
        let (first, second) = (begin("a").unwrap(), begin("a").unwrap());
        assert_eq!(begin("a").unwrap_err(), Code::TooManyUploads);
        assert!(begin("b").is_ok());
        drop(first);
        assert!(begin("a").is_ok());
        drop(second);
        assert_eq!(uploads.running.total(), 0);
        assert!(
            Concurrent::new(0, Code::TooManyUploads, words)
                .begin("a")
                .unwrap()
                .is_none()
        );
    }
}
