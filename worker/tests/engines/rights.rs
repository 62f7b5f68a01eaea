//! Permissions of the broker's users: forbidden requests fail. The other tests here cover the allowed ones.
//!
//! `common/tests/engines/rights.rs` has those of the store's users.

use crate::harness::{Rig, connect, report};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};
use vidp_common::{
    queue::Cancel,
    store::{Store, StoreError},
};
use vidp_contract::{Lane, Outcome, Stage, TraceParent, keys, streams};

/// Time to wait for an answer; the broker does not answer a forbidden request.
const SILENCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_api_may_manage_all_streams() {
    let rig = Rig::new().await;
    let task = rig.task().await;
    rig.publish(&task).await;
    let (stage, lane) = (Stage::Scale, Lane::Interactive);
    assert!(rig.queue.holds_task(stage, lane, task.task_id).await.unwrap());
    let metrics = rig.queue.metrics().await.unwrap();
    assert_eq!(
        (metrics.loads[&(stage, lane)].depth(), metrics.stranded()),
        (1, 0)
    );
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
    let worker = connect(&rig.config, "downscale").await;
    worker.lane_consumer(Stage::Scale, Lane::Batch).await.unwrap();
    let task = rig.task().await;
    let trace = TraceParent::of_job(task.job_id);
    assert!(worker.publish_task(Lane::Batch, &task, &trace).await.is_err());
    assert!(worker.lane_consumer(Stage::Detect, Lane::Batch).await.is_err());
    assert!(worker.results_consumer().await.is_err());
    assert!(worker.metrics().await.is_err());
    for subject in [
        "$JS.API.STREAM.DELETE.VIDP_TASKS",
        "$JS.API.STREAM.MSG.GET.VIDP_RESULTS",
        "$JS.API.CONSUMER.MSG.NEXT.VIDP_TASKS.detect-interactive",
        "$JS.API.CONSUMER.DELETE.VIDP_TASKS.scale-batch",
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

/// Starts a proxy to the store that answers 403 for a missing object, as AWS S3 does to a user who may not list.
async fn hiding(server: &str) -> String {
    let server = server.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let down = async {
                    let mut block = [0; 1 << 16];
                    while let Ok(read @ 1..) = from_server.read(&mut block).await {
                        // Of the same length; without its code, the error counts as `AccessDenied`.
                        for (old, new) in [
                            ("HTTP/1.1 404", "HTTP/1.1 403"),
                            ("<Code>NoSuchKey", "<Kode>NoSuchKey"),
                        ] {
                            let found = block[..read]
                                .windows(old.len())
                                .position(|part| part == old.as_bytes());
                            if let Some(at) = found {
                                block[at..at + new.len()].copy_from_slice(new.as_bytes());
                            }
                        }
                        to_client.write_all(&block[..read]).await.unwrap();
                    }
                };
                tokio::select! {
                    _ = copy(&mut from_client, &mut to_server) => {}
                    () = down => {}
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_store_that_hides_missing_objects_delays_no_task() {
    let mut rig = Rig::new().await;
    rig.config.s3.s3_endpoint = hiding(&rig.config.s3.s3_endpoint).await;
    let task = rig.task().await;
    let hidden = Store::new(&rig.config.s3)
        .read(&keys::manifest(&task.output_prefix))
        .await;
    assert!(matches!(hidden, Err(StoreError::Denied { .. })), "{hidden:?}");
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    rig.publish(&task).await;
    let result = rig.result().await;
    assert!(matches!(result.outcome, Outcome::Succeeded(_)), "{result:?}");
    assert_eq!(result.attempt, 1);
}
