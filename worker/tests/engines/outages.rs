//! Leases, with and without the broker and the store.

use crate::harness::{LIMIT, Rig, report};
use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};
use tokio::sync::mpsc;
use vidp_contract::{Lane, Outcome, Stage};
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

/// A power cut may bring messages back that a consumer has passed: the broker delivers them to no worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_its_consumer_has_passed_is_published_again() {
    let mut rig = Rig::new().await;
    let stream = rig
        .folder
        .path()
        .join("nats/jetstream/jetstream/$G/streams/VIDP_TASKS");
    let (messages, early) = (stream.join("msgs"), rig.folder.path().join("early"));
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.unwrap().success());
    };
    let tasks = [rig.task().await, rig.task().await];
    for task in &tasks {
        rig.publish(task).await;
    }
    rig.nats.stop();
    copy(&messages, &early);
    rig.nats.restart().unwrap();
    let (stop, ended) = rig.worker(async |_| Ok(report()));
    for _ in &tasks {
        rig.result().await;
    }
    rig.empty().await;
    stop.cancel();
    ended.await.unwrap();
    rig.nats.stop();
    std::fs::remove_dir_all(&messages).unwrap();
    copy(&early, &messages);
    rig.nats.restart().unwrap();

    let metrics = rig.queue.metrics().await.unwrap();
    assert_eq!(
        (metrics.depth(), metrics.stranded()),
        (0, 2),
        "no consumer counts them"
    );
    let (stage, lane, id) = (rig.stage, Lane::Interactive, tasks[0].task_id);
    assert!(!rig.queue.holds_task(stage, lane, id).await.unwrap());
    assert_eq!(rig.queue.metrics().await.unwrap().stranded(), 1);
    // As the sweeper does.
    rig.publish(&tasks[0]).await;
    assert!(rig.queue.holds_task(stage, lane, id).await.unwrap());
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    assert_eq!(rig.result().await.task_id, id);
    rig.empty().await;
}
