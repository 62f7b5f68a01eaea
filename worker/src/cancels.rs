//! Cancellations that a worker has received.

use futures_util::StreamExt;
use std::{collections::VecDeque, time::Duration};
use tokio::sync::watch;
use uuid::Uuid;
use vidp_common::queue::{Cancel, Queue};
use vidp_contract::{Task, streams};

/// Number of cancelled tasks that a worker remembers: 64 KiB.
const REMEMBERED: usize = 4096;
/// Pause after a subscription that failed or ended.
const PAUSE: Duration = Duration::from_secs(1);

/// The tasks that were cancelled last.
///
/// They are remembered, because a cancellation may arrive before its attempt begins: between the delivery of the task and its
/// start, or while an offered part of a cancelled task still waits in the queue. A retry has another task, which no earlier
/// cancellation names.
pub(super) struct Cancels(watch::Sender<VecDeque<Uuid>>);

impl Cancels {
    pub(super) fn new() -> Cancels {
        Cancels(watch::Sender::default())
    }

    /// Notes a cancellation.
    fn received(&self, cancel: Cancel) {
        self.0.send_modify(|tasks| {
            tasks.extend(cancel.tasks);
            let oldest = tasks.len().saturating_sub(REMEMBERED);
            tasks.drain(..oldest);
        });
    }

    /// True when `task` was cancelled.
    pub(super) fn include(&self, task: &Task) -> bool {
        self.0.borrow().contains(&task.task_id)
    }

    /// Waits until `task` is cancelled.
    pub(super) async fn cancelled(&self, task: &Task) {
        let mut tasks = self.0.subscribe();
        let is_cancelled = tasks.wait_for(|tasks| tasks.contains(&task.task_id)).await;
        is_cancelled.expect("self holds the sender");
    }

    /// Notes the cancellations of the broker for ever. The API repeats a lost one at the next progress of the task.
    pub(super) async fn listen(&self, queue: &Queue) {
        loop {
            match queue.subscribe(streams::CANCEL_SUBJECTS, None).await {
                Ok(mut cancels) => {
                    while let Some(message) = cancels.next().await {
                        if let Some(cancel) = Cancel::read(&message) {
                            self.received(cancel);
                        }
                    }
                }
                Err(error) => tracing::warn!("cancellations are not received: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
