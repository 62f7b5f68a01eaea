//! Leases, with and without the broker and the store.

use crate::harness::{LIMIT, Rig, report};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};
use tokio::sync::mpsc;
use vidp_contract::{Outcome, Stage};
use vidp_worker::TaskError;

#[tokio::test]
async fn a_long_task_keeps_its_lease() {
    let rig = Rig::new().await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let lease = rig.config.nats.ack_wait();
    let (_stop, _) = rig.worker(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            // The duration of the work is the subject of this test.
            tokio::time::sleep(lease * 2).await;
            Ok(report())
        }
    });
    let task = rig.task().await;
    rig.publish(&task).await;
    assert_eq!(rig.result().await.attempt, 1);
    rig.empty().await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_the_broker_an_attempt_fences_itself_and_the_task_comes_back() {
    let mut rig = Rig::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let (_stop, _) = rig.worker(move |attempt| {
        started.send(attempt.clone()).unwrap();
        async move {
            if attempt.number > 1 {
                return Ok(report());
            }
            attempt.cancel.cancelled().await;
            Err(TaskError::Cancelled)
        }
    });
    let task = rig.task().await;
    rig.publish(&task).await;
    let first = tokio::time::timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    rig.nats.stop();
    let stopped = Instant::now();
    tokio::time::timeout(LIMIT, first.cancel.cancelled())
        .await
        .unwrap();
    let lease = rig.config.nats.ack_wait();
    assert!(
        stopped.elapsed() < lease,
        "the attempt stops before another worker can have the task"
    );
    rig.nats.restart().unwrap();
    let result = rig.result().await;
    assert_eq!(result.task_id, task.task_id);
    assert!(result.attempt > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_outage_of_the_store_uses_up_no_attempts_and_no_finished_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut s3 = vidp_engines::S3::start(folder.path(), 0).unwrap();
    let rig = Rig::of(Stage::Scale, &s3).await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let (go, may_go) = tokio::sync::watch::channel(false);
    let (_stop, _) = rig.worker(move |attempt| {
        started.send(attempt.number).unwrap();
        let mut may_go = may_go.clone();
        async move {
            may_go.wait_for(|go| *go).await.unwrap();
            Ok(report())
        }
    });
    let mut task = rig.task().await;
    task.attempt_limit = 1;
    rig.publish(&task).await;
    assert_eq!(tokio::time::timeout(LIMIT, starts.recv()).await.unwrap(), Some(1));
    s3.stop();
    // The work is done and cannot be committed. The worker retries until the store is back.
    go.send(true).unwrap();
    s3.restart().unwrap();
    let result = rig.result().await;
    assert!(matches!(result.outcome, Outcome::Succeeded(_)), "{result:?}");
    assert_eq!(result.attempt, 1);
    rig.empty().await;
}
