//! Attempts that are stopped: by a cancellation or with their worker.

use crate::harness::{LIMIT, Rig, report};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use vidp_common::queue::Cancel;
use vidp_worker::TaskError;

#[tokio::test]
async fn cancelling_reaches_a_running_attempt() {
    let rig = Rig::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let (_stop, _) = rig.worker(move |attempt| {
        started.send(attempt.clone()).unwrap();
        async move {
            attempt.cancel.cancelled().await;
            Err(TaskError::Cancelled)
        }
    });
    let task = rig.task().await;
    rig.publish(&task).await;
    let attempt = tokio::time::timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    let cancel = Cancel {
        job_id: task.job_id,
        tasks: vec![task.task_id],
    };
    let asked = Instant::now();
    // The subscription of a worker that has just started may begin a moment after its first task.
    while !attempt.cancel.is_cancelled() && asked.elapsed() < LIMIT {
        rig.queue.cancel(&cancel).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(attempt.cancel.is_cancelled() && asked.elapsed() < Duration::from_secs(3));
    rig.empty().await;
}

#[tokio::test]
async fn a_stopping_worker_hands_its_task_over_at_once() {
    let rig = Rig::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let (stop, ended) = rig.worker(move |attempt| {
        started.send(()).unwrap();
        async move {
            attempt.cancel.cancelled().await;
            Err(TaskError::Cancelled)
        }
    });
    let task = rig.task().await;
    rig.publish(&task).await;
    tokio::time::timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    stop.cancel();
    let asked = Instant::now();
    ended.await.unwrap();
    // The worker drains for one second and then hands the task over.
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let result = rig.result().await;
    assert_eq!((result.task_id, result.attempt), (task.task_id, 2));
}
