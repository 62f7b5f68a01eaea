//! How the earlier deliveries of a task ended.
//!
//! The broker counts deliveries, and does not know why a task came back. A worker that gives a task back or loses its lease
//! therefore leaves a note in the object store, before the broker can deliver the task again. A delivery without a result
//! and without a note is the death of its worker.
//!
//! A worker that finishes parts of the work leaves a note at the first one. It counts if the worker dies later.
//!
//! Each delivery has its own note, so that no two workers write the same one. A worker that dies between the note and its
//! answer to the broker has handed the task over: the lease expires, and nothing is lost or counted twice.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use vidp_common::store::{Store, StoreError};
use vidp_contract::{FailureCode, Task, keys};

/// Number of hand-overs after which a stage fails. With the drains of the shipped manifests (120 and 540 s) these are
/// hours in which no worker was left alone for long enough.
pub(super) const HANDOVER_LIMIT: u32 = 100;
/// Notes that are read at the same time.
const CONCURRENT: usize = 8;
/// Maximum size of a note in bytes.
const MAX_NOTE: u64 = 64;

const HANDED_OVER: &str = "handed_over";
const ADVANCED: &str = "advanced";
const FAILED: &str = "failed";
const DIED: &str = "died";

/// The end of a delivery without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The worker was stopped and gave the task back: no failed attempt.
    HandedOver,
    /// The worker died after it had finished a part of the work, which the next delivery uses: no failed attempt.
    Advanced,
    /// The attempt failed, or its worker lost the lease.
    Failed,
    /// The worker left no note.
    Died,
}

impl Ended {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Ended::HandedOver => HANDED_OVER,
            Ended::Advanced => ADVANCED,
            Ended::Failed => FAILED,
            Ended::Died => DIED,
        }
    }

    /// Stores the note of the delivery `number`.
    pub(super) async fn note(self, store: &Store, task: &Task, number: u32) -> Result<(), StoreError> {
        let key = keys::delivery(&task.output_prefix, task.task_id, number);
        store
            .put(&key, Bytes::from_static(self.as_str().as_bytes()))
            .await
    }

    async fn read(store: &Store, task: &Task, number: u32) -> Result<Ended, StoreError> {
        let key = keys::delivery(&task.output_prefix, task.task_id, number);
        match store.read_at_most(&key, MAX_NOTE).await {
            Ok(Some(note)) if note == HANDED_OVER.as_bytes() => Ok(Ended::HandedOver),
            Ok(Some(note)) if note == ADVANCED.as_bytes() => Ok(Ended::Advanced),
            // A foreign note must not give a file more attempts.
            Ok(Some(_)) | Err(StoreError::TooLarge { .. } | StoreError::Corrupt { .. }) => Ok(Ended::Failed),
            // AWS S3 answers so for a missing object, because a worker may not list.
            Ok(None) | Err(StoreError::Denied { .. }) => Ok(Ended::Died),
            Err(error) => Err(error),
        }
    }
}

/// Numbers of a task's deliveries by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    handed_over: u32,
    failed: u32,
    died: u32,
    /// The end of the last one; `None` before the first.
    pub(super) last: Option<Ended>,
}

impl Tally {
    /// Reads how the deliveries 1 to `last` of a task ended, with one request for each.
    ///
    /// Reads no more of them than exhaust both limits.
    ///
    /// # Errors
    /// The store failed: a later call may succeed.
    pub(super) async fn read(store: &Store, task: &Task, last: u32) -> Result<Tally, StoreError> {
        let first = last.saturating_sub(task.attempt_limit.saturating_add(HANDOVER_LIMIT)) + 1;
        stream::iter(first..=last)
            .map(|number| Ended::read(store, task, number))
            .buffered(CONCURRENT)
            .try_fold(Tally::default(), async |tally, ended| Ok(tally.plus(ended)))
            .await
    }

    fn plus(mut self, ended: Ended) -> Tally {
        match ended {
            Ended::HandedOver => self.handed_over += 1,
            // The number of parts bounds these.
            Ended::Advanced => {}
            Ended::Failed => self.failed += 1,
            Ended::Died => self.died += 1,
        }
        self.last = Some(ended);
        self
    }

    /// Number of attempts that are used up. Hand-overs use up none.
    pub(super) fn used(&self) -> u32 {
        self.failed + self.died
    }

    /// The failure of a task with this history; `None` while it may be tried again.
    pub(super) fn failure(&self, attempt_limit: u32) -> Option<(FailureCode, String)> {
        let (used, died) = (self.used(), self.died);
        if used >= attempt_limit {
            return Some(match (self.failed, died) {
                (0, _) => (
                    FailureCode::WorkerDied,
                    format!("the worker died in each of {used} attempts"),
                ),
                (_, 0) => (
                    FailureCode::AttemptsExhausted,
                    format!("none of {used} attempts succeeded"),
                ),
                _ => (
                    FailureCode::AttemptsExhausted,
                    format!("none of {used} attempts succeeded; in {died} of them the worker died"),
                ),
            });
        }
        (self.handed_over >= HANDOVER_LIMIT).then(|| {
            let detail = format!(
                "{} workers were stopped before one of them could finish",
                self.handed_over
            );
            (FailureCode::HandoversExhausted, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureCode::{AttemptsExhausted, HandoversExhausted, WorkerDied};

    fn check(history: &[(u32, Ended)], expected: Option<(FailureCode, &str)>) {
        let ends = history
            .iter()
            .flat_map(|(count, ended)| (0..*count).map(|_| *ended));
        let failure = ends.fold(Tally::default(), Tally::plus).failure(5);
        let failure = failure.as_ref().map(|(code, detail)| (*code, detail.as_str()));
        assert_eq!(failure, expected, "{history:?}");
    }

    #[test]
    fn a_handover_is_no_failed_attempt() {
        use Ended::{Advanced, Died, Failed, HandedOver};
        let died = Some((WorkerDied, "the worker died in each of 5 attempts"));
        check(&[], None);
        check(&[(4, Died)], None);
        check(&[(5, Died)], died);
        check(&[(20, HandedOver), (4, Died)], None);
        check(&[(3, Died), (20, HandedOver), (2, Died)], died);
        check(&[(2, Failed), (9, HandedOver), (2, Died)], None);
        let mixed = "none of 5 attempts succeeded; in 3 of them the worker died";
        check(
            &[(2, Failed), (9, HandedOver), (3, Died)],
            Some((AttemptsExhausted, mixed)),
        );
        let failed = Some((AttemptsExhausted, "none of 5 attempts succeeded"));
        check(&[(1, HandedOver), (5, Failed)], failed);
        check(&[(99, HandedOver), (4, Died)], None);
        check(&[(200, Advanced), (4, Died)], None);
        let stopped = "100 workers were stopped before one of them could finish";
        check(&[(100, HandedOver)], Some((HandoversExhausted, stopped)));
        check(
            &[(100, HandedOver), (4, Died)],
            Some((HandoversExhausted, stopped)),
        );
    }
}
