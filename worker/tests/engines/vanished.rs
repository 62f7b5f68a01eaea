//! Consumers, folders and buckets that vanish while workers run.

use crate::harness::{LIMIT, Rig, connect, report, until};
use tokio::sync::{mpsc, watch};
use vidp_common::{queue::ProblemKind, store::StoreError};
use vidp_contract::{Lane, Outcome, OutputFile, Stage, keys, streams};

/// Deletes the stage's consumer of interactive tasks, as an operator may.
async fn delete_consumer(rig: &Rig) {
    let admin = connect(&rig.config, "admin").await;
    let subject = format!("$JS.API.CONSUMER.DELETE.{}.scale-interactive", streams::TASKS);
    let answer = admin.client().request(subject, "".into()).await.unwrap();
    assert!(answer.payload.windows(14).any(|part| part == b"\"success\":true"));
}

#[tokio::test]
async fn a_worker_goes_on_when_its_consumer_is_back() {
    let rig = Rig::new().await;
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    rig.publish(&rig.task().await).await;
    rig.result().await;
    delete_consumer(&rig).await;
    let task = rig.task().await;
    rig.publish(&task).await;
    let problems = rig.queue.metrics().await.unwrap().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        (problems[0].object.as_str(), problems[0].kind),
        ("scale-interactive", ProblemKind::Missing)
    );
    // The API calls this in each sweep.
    assert_eq!(rig.queue.restore().await.unwrap(), ["scale-interactive"]);
    assert_eq!(rig.result().await.task_id, task.task_id);
    rig.empty().await;
    assert!(rig.queue.restore().await.unwrap().is_empty());
}

/// The new consumer knows nothing of the running attempt and delivers its task again: the first manifest is the result.
#[tokio::test]
async fn a_consumer_that_vanishes_during_a_task_changes_no_result() {
    let rig = Rig::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let (go, may_go) = watch::channel(0);
    let work = {
        move |attempt: std::sync::Arc<vidp_worker::Attempt>| {
            let (mut may_go, started) = (may_go.clone(), started.clone());
            async move {
                let source = attempt.fetch_source().await?;
                attempt.put(&OutputFile::POSTER, &source).await?;
                let (place, placed) = tokio::sync::oneshot::channel();
                started.send(place).unwrap();
                let place = placed.await.unwrap();
                may_go.wait_for(|go| *go >= place).await.unwrap();
                Ok(report())
            }
        }
    };
    let (_stop, _) = rig.worker(work.clone());
    let (_stop, _) = rig.worker(work);
    let task = rig.task().await;
    rig.publish(&task).await;
    let first = tokio::time::timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    first.send(1).unwrap();
    delete_consumer(&rig).await;
    rig.queue.restore().await.unwrap();
    let second = tokio::time::timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    second.send(2).unwrap();
    go.send(1).unwrap();
    let one = rig.result().await;
    go.send(2).unwrap();
    let other = rig.result().await;
    assert!(matches!(one.outcome, Outcome::Succeeded(_)), "{one:?}");
    assert_eq!(one, other);
    rig.empty().await;
    until(async || rig.queue.metrics().await.unwrap().stranded() == 0).await;
}

#[tokio::test]
async fn a_worker_makes_its_scratch_folder_again() {
    let rig = Rig::new().await;
    let (_stop, _) = rig.worker(async |attempt| attempt.fetch_source().await.map(|_| report()));
    rig.publish(&rig.task().await).await;
    rig.result().await;
    std::fs::remove_dir_all(&rig.config.scratch_dir).unwrap();
    rig.publish(&rig.task().await).await;
    let result = rig.result().await;
    assert!(matches!(result.outcome, Outcome::Succeeded(_)), "{result:?}");
    assert_eq!(result.attempt, 1);
}

/// A bucket that is missing says nothing about the files that were in it: their volume may not be mounted.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_the_bucket_a_task_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (data, aside) = (folder.path().join("s3"), folder.path().join("aside"));
    let mut s3 = vidp_engines::S3::start(&data, 0).unwrap();
    let rig = Rig::leasing(Stage::Scale, &s3, 15).await;
    let (_stop, _) = rig.worker(async |attempt| attempt.fetch_source().await.map(|_| report()));
    rig.publish(&rig.task().await).await;
    rig.result().await;
    let task = rig.task().await;
    s3.stop();
    std::fs::rename(&data, &aside).unwrap();
    std::fs::create_dir(&data).unwrap();
    s3.restart().unwrap();
    let key = keys::manifest(&task.output_prefix);
    let read = rig.store.read(&key).await;
    assert!(matches!(read, Err(StoreError::Refused { .. })), "{read:?}");
    rig.publish(&task).await;
    let running =
        async || rig.queue.metrics().await.unwrap().loads[&(Stage::Scale, Lane::Interactive)].running;
    until(async || running().await == 1).await;
    s3.stop();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    s3.restart().unwrap();
    let result = rig.result().await;
    assert!(matches!(result.outcome, Outcome::Succeeded(_)), "{result:?}");
    assert_eq!(result.attempt, 1);
}
