//! Permissions of the broker's users: forbidden requests fail. The other tests here cover the allowed ones.

use crate::harness::{Rig, connect};
use std::time::Duration;
use vidp_common::queue::Cancel;
use vidp_contract::{Lane, Stage, TraceParent, streams};

/// Time to wait for an answer; the broker does not answer a forbidden request.
const SILENCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_api_may_manage_all_streams() {
    let rig = Rig::new().await;
    let task = rig.task().await;
    rig.publish(&task).await;
    let (stage, lane) = (Stage::Detect, Lane::Interactive);
    assert!(rig.queue.holds_task(stage, lane, task.task_id).await.unwrap());
    let metrics = rig.queue.metrics().await.unwrap();
    assert_eq!((metrics.depth[&(stage, lane)], metrics.stranded()), (1, 0));
    assert!(metrics.streams[streams::TASKS].bytes > 0);
    assert_eq!(rig.queue.stored_result(stage, task.task_id).await.unwrap(), None);
    rig.queue.remove_task(stage, lane, task.task_id).await.unwrap();
    assert_eq!(rig.queue.depth(stage, lane).await.unwrap(), 0);
    let cancel = Cancel {
        job_id: task.job_id,
        tasks: vec![task.task_id],
    };
    rig.queue.cancel(&cancel).await.unwrap();
}

#[tokio::test]
async fn a_worker_may_not_do_the_work_of_others() {
    let rig = Rig::new().await;
    let worker = connect(&rig.config, "langscale").await;
    worker.lane_consumer(Stage::Detect, Lane::Batch).await.unwrap();
    let task = rig.task().await;
    let trace = TraceParent::of_job(task.job_id);
    assert!(worker.publish_task(Lane::Batch, &task, &trace).await.is_err());
    assert!(worker.lane_consumer(Stage::Scale, Lane::Batch).await.is_err());
    assert!(worker.results_consumer().await.is_err());
    assert!(worker.metrics().await.is_err());
    for subject in [
        "$JS.API.STREAM.DELETE.VIDP_TASKS",
        "$JS.API.STREAM.MSG.GET.VIDP_RESULTS",
        "$JS.API.CONSUMER.MSG.NEXT.VIDP_TASKS.scale-interactive",
        "$JS.API.CONSUMER.DELETE.VIDP_TASKS.detect-batch",
    ] {
        let asked = worker.client().request(subject, "{}".into());
        let answered = tokio::time::timeout(SILENCE, asked).await;
        assert!(!matches!(answered, Ok(Ok(_))), "{subject}: {answered:?}");
    }
    // The inbox of another user.
    let mut inbox = worker.client().subscribe("_INBOX_api.>").await.unwrap();
    rig.queue.metrics().await.unwrap();
    let received = tokio::time::timeout(SILENCE, futures_util::StreamExt::next(&mut inbox)).await;
    assert!(!matches!(received, Ok(Some(_))), "{received:?}");
    // No user may delete a stream, not even the API.
    let delete = format!("$JS.API.STREAM.DELETE.{}", streams::DEAD);
    let deleted = tokio::time::timeout(SILENCE, rig.queue.client().request(delete, "".into())).await;
    assert!(!matches!(deleted, Ok(Ok(_))), "a stream was deleted");
}
