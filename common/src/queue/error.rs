use std::time::Duration;

/// Bound on a whole call: a few requests.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the broker did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {error}")]
pub struct QueueError {
    what: &'static str,
    error: async_nats::Error,
}

impl QueueError {
    /// The message is larger than the broker takes; it always will be.
    pub fn is_too_large(&self) -> bool {
        self.says("max payload size exceeded")
    }

    /// The refusal by "one message per subject". Its code is the one of every failed store, so the words decide.
    pub(super) fn is_already_stored(&self) -> bool {
        self.says("maximum messages per subject exceeded")
    }

    fn says(&self, words: &str) -> bool {
        let mut source: Option<&dyn std::error::Error> = Some(self.error.as_ref());
        while let Some(error) = source {
            if error.to_string().contains(words) {
                return true;
            }
            source = error.source();
        }
        false
    }
}

/// The client queues what is asked of it while it reconnects, and its queue may be full: nothing waits longer.
pub(super) async fn timely<T, E: Into<async_nats::Error>>(
    what: &'static str,
    request: impl Future<Output = Result<T, E>>,
) -> Result<T, QueueError> {
    match tokio::time::timeout(CALL_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(failed(what)),
        Err(_) => Err(failed(what)("no answer in time")),
    }
}

pub(super) fn failed<E: Into<async_nats::Error>>(what: &'static str) -> impl FnOnce(E) -> QueueError {
    move |error| QueueError {
        what,
        error: error.into(),
    }
}
