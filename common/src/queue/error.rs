use std::time::Duration;

/// Time limit of a whole call, which makes a few requests.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// A failed call to the broker.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {error}")]
pub struct QueueError {
    what: &'static str,
    error: async_nats::Error,
}

impl QueueError {
    /// True when the message exceeds the size limit of the broker. A retry would fail too.
    pub fn is_too_large(&self) -> bool {
        self.says("max payload size exceeded")
    }

    /// True when the stream already has a message with this subject and refuses a second one.
    ///
    /// The error code is the same for every failed publication, so this compares the text.
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

/// Limits the time of a request. The client queues requests while it reconnects, and its queue may be full.
pub(super) async fn timely<T, E: Into<async_nats::Error>>(
    what: &'static str,
    request: impl Future<Output = Result<T, E>>,
) -> Result<T, QueueError> {
    match tokio::time::timeout(CALL_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(failed(what)),
        Err(_) => Err(failed(what)("no answer in time")),
    }
}

/// Converts an error of the operation `what`.
pub(super) fn failed<E: Into<async_nats::Error>>(what: &'static str) -> impl FnOnce(E) -> QueueError {
    move |error| QueueError {
        what,
        error: error.into(),
    }
}
