//! A task that comes back to the queue: handed over, failed, or left by a dead worker.

use crate::harness::{LIMIT, Rig, connect, report, until};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;
use vidp_contract::{FailureCode, Lane, Outcome, Stage, Task, TaskResult, keys};
use vidp_worker::{Attempt, TaskError};

/// Works until the attempt is stopped.
async fn endless(attempt: Arc<Attempt>) -> Result<Map<String, Value>, TaskError> {
    attempt.cancel.cancelled().await;
    Err(TaskError::Cancelled)
}

impl Rig {
    /// Runs a worker until it works on a task, and stops it as a platform does that evicts it. Returns the delivery number.
    async fn hand_over(&self) -> u32 {
        let (started, mut starts) = mpsc::unbounded_channel();
        let (stop, ended) = self.worker(move |attempt| {
            started.send(attempt.number).unwrap();
            endless(attempt)
        });
        let number = timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
        stop.cancel();
        ended.await.unwrap();
        number
    }

    /// Receives the task as a worker that dies at once: it never answers, and its lease expires.
    pub(crate) async fn die(&self) {
        let worker = connect(&self.config, &self.config.nats.nats_user).await;
        let consumer = worker.lane_consumer(self.stage, Lane::Interactive).await.unwrap();
        let pull = consumer.batch().max_messages(1).expires(LIMIT).messages();
        pull.await.unwrap().next().await.unwrap().unwrap();
    }
}

fn failure(result: TaskResult) -> (FailureCode, String) {
    match result.outcome {
        Outcome::Failed { code, detail } => (code, detail),
        other => panic!("{other:?}"),
    }
}

/// Twenty evictions are no failed attempts, though two failed attempts are allowed; the next worker has a quiet day.
async fn check_handovers(stage: Stage) {
    let mut rig = Rig::of(stage, &vidp_engines::shared().s3).await;
    rig.config.drain_seconds = 0;
    let mut task = rig.task().await;
    task.attempt_limit = 2;
    rig.publish(&task).await;
    for number in 1..=20 {
        assert_eq!(rig.hand_over().await, number);
    }
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let result = rig.result().await;
    assert!(matches!(result.outcome, Outcome::Succeeded(_)), "{result:?}");
    assert_eq!((result.task_id, result.attempt), (task.task_id, 21));
    rig.empty().await;
}

#[tokio::test]
async fn detect_survives_twenty_handovers() {
    check_handovers(Stage::Detect).await;
}

#[tokio::test]
async fn scale_survives_twenty_handovers() {
    check_handovers(Stage::Scale).await;
}

#[tokio::test]
async fn subtitle_survives_twenty_handovers() {
    check_handovers(Stage::Subtitle).await;
}

#[tokio::test]
async fn deaths_count_between_handovers() {
    let mut rig = Rig::new().await;
    rig.config.drain_seconds = 0;
    let mut task = rig.task().await;
    task.attempt_limit = 2;
    rig.publish(&task).await;
    rig.hand_over().await;
    rig.die().await;
    rig.hand_over().await;
    rig.hand_over().await;
    rig.die().await;
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let result = rig.result().await;
    assert_eq!(result.attempt, 6);
    let detail = "the worker died in each of 2 attempts".to_owned();
    assert_eq!(failure(result), (FailureCode::WorkerDied, detail));
    rig.empty().await;
}

/// A failed attempt and a death are two attempts, but not two deaths.
#[tokio::test]
async fn a_failed_attempt_is_no_death() {
    let mut rig = Rig::new().await;
    rig.config.drain_seconds = 0;
    let mut task = rig.task().await;
    task.attempt_limit = 2;
    rig.publish(&task).await;
    rig.hand_over().await;
    let (failed, mut failures) = mpsc::unbounded_channel();
    let (stop, ended) = rig.worker(move |_| {
        failed.send(()).unwrap();
        async { Err::<Map<_, _>, _>(TaskError::Retry(anyhow::anyhow!("a full disk"))) }
    });
    timeout(LIMIT, failures.recv()).await.unwrap().unwrap();
    let note = keys::delivery(&task.output_prefix, task.task_id, 2);
    until(async || rig.store.size(&note).await.unwrap().is_some()).await;
    stop.cancel();
    ended.await.unwrap();
    rig.die().await;
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let (code, detail) = failure(rig.result().await);
    assert_eq!(code, FailureCode::AttemptsExhausted);
    assert_eq!(
        detail,
        "none of 2 attempts succeeded; in 1 of them the worker died"
    );
}

/// The worker dies between its note and its answer to the broker: the task is late, and no attempt is used up.
#[tokio::test]
async fn a_death_in_the_middle_of_a_handover_is_a_handover() {
    let rig = Rig::new().await;
    let mut task = rig.task().await;
    task.attempt_limit = 1;
    rig.publish(&task).await;
    rig.die().await;
    let note = keys::delivery(&task.output_prefix, task.task_id, 1);
    rig.store.put(&note, "handed_over".into()).await.unwrap();
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let result = rig.result().await;
    assert!(matches!(result.outcome, Outcome::Succeeded(_)), "{result:?}");
    assert_eq!(result.attempt, 2);
}

/// A frozen or disconnected worker loses its lease and lives: an attempt, and no death.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_lease_is_no_death() {
    let mut rig = Rig::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let (_stop, _) = rig.worker(move |attempt| {
        started.send(attempt.clone()).unwrap();
        endless(attempt)
    });
    let mut task = rig.task().await;
    task.attempt_limit = 1;
    rig.publish(&task).await;
    let first = timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    rig.nats.stop();
    timeout(LIMIT, first.cancel.cancelled()).await.unwrap();
    let note = keys::delivery(&task.output_prefix, task.task_id, 1);
    until(async || rig.store.size(&note).await.unwrap().is_some()).await;
    rig.nats.restart().unwrap();
    let (code, detail) = failure(rig.result().await);
    assert_eq!(code, FailureCode::AttemptsExhausted);
    assert_eq!(detail, "none of 1 attempts succeeded");
}

#[tokio::test]
async fn endless_handovers_end_with_their_own_reason() {
    let rig = Rig::new().await;
    let task = rig.task().await;
    rig.publish(&task).await;
    // As a hundred workers that are evicted at once, without the time that their starts take.
    let worker = connect(&rig.config, "downscale").await;
    let consumer = worker.lane_consumer(rig.stage, Lane::Interactive).await.unwrap();
    for number in 1..=100 {
        let pull = consumer.batch().max_messages(1).expires(LIMIT).messages();
        let message = pull.await.unwrap().next().await.unwrap().unwrap();
        let note = keys::delivery(&task.output_prefix, task.task_id, number);
        rig.store.put(&note, "handed_over".into()).await.unwrap();
        let back = async_nats::jetstream::AckKind::Nak(None);
        message.ack_with(back).await.unwrap();
    }
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let (code, detail) = failure(rig.result().await);
    assert_eq!(code, FailureCode::HandoversExhausted);
    assert_eq!(detail, "100 workers were stopped before one of them could finish");
    rig.empty().await;
    // A retry of the job makes a new task, which starts from nothing.
    let again = Task {
        task_id: Uuid::now_v7(),
        ..task
    };
    rig.publish(&again).await;
    assert!(matches!(rig.result().await.outcome, Outcome::Succeeded(_)));
}

/// The first download after a hand-over is still the first: only a second failed attempt confirms a corrupt source.
#[tokio::test]
async fn a_handover_does_not_confirm_a_corrupt_source() {
    let mut rig = Rig::new().await;
    rig.config.drain_seconds = 0;
    let mut task = rig.task().await;
    task.source.sha256 = "0".repeat(64);
    rig.publish(&task).await;
    rig.hand_over().await;
    let (_stop, _) = rig.worker(async |attempt| attempt.fetch_source().await.map(|_| report()));
    let result = rig.result().await;
    assert_eq!(result.attempt, 3);
    assert_eq!(failure(result).0, FailureCode::SourceCorrupt);
}
