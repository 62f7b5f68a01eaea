//! The order in which a worker serves its lanes.

use crate::harness::{LIMIT, Rig, report};
use std::time::{Duration, Instant};
use tokio::{sync::mpsc, time::timeout};
use vidp_contract::{Lane, TraceParent};

#[tokio::test]
async fn a_batch_does_not_starve_and_does_not_come_first() {
    let rig = Rig::new().await;
    for lane in [Lane::Batch, Lane::Interactive] {
        for _ in 0..10 {
            let mut task = rig.task().await;
            task.attempt_limit = if lane == Lane::Batch { 99 } else { 1 };
            rig.queue
                .publish_task(lane, &task, &TraceParent::of_job(task.job_id))
                .await
                .unwrap();
        }
    }
    let (started, mut order) = mpsc::unbounded_channel();
    let (_stop, _) = rig.worker(move |attempt| {
        started.send(attempt.task.attempt_limit).unwrap();
        async { Ok(report()) }
    });
    let mut batch = Vec::new();
    for place in 0..20 {
        if timeout(LIMIT, order.recv()).await.unwrap().unwrap() == 99 {
            batch.push(place);
        }
    }
    // Every fifth pull starts with the batch lane.
    assert_eq!(batch[..2], [4, 9], "{batch:?}");
}

#[tokio::test]
async fn a_batch_alone_does_not_wait_for_the_other_lane() {
    let rig = Rig::new().await;
    for _ in 0..10 {
        let task = rig.task().await;
        let trace = TraceParent::of_job(task.job_id);
        rig.queue.publish_task(Lane::Batch, &task, &trace).await.unwrap();
    }
    let (started, mut starts) = mpsc::unbounded_channel();
    let (_stop, _) = rig.worker(move |_| {
        started.send(()).unwrap();
        async { Ok(report()) }
    });
    timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    let first = Instant::now();
    for _ in 1..10 {
        timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    }
    // Regression: each task once waited one second.
    assert!(first.elapsed() < Duration::from_secs(5), "{:?}", first.elapsed());
}
