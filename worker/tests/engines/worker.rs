//! Tasks and their results.

use crate::harness::{Rig, report, until};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use vidp_common::queue::{Letter, Original};
use vidp_contract::{FailureCode, Lane, Outcome, OutputFile, SkipCode, Stage, TaskResult, keys, streams};
use vidp_worker::TaskError;

fn code(result: &TaskResult) -> Option<FailureCode> {
    match &result.outcome {
        Outcome::Failed { code, .. } => Some(*code),
        _ => None,
    }
}

#[tokio::test]
async fn a_task_becomes_a_result_once() {
    let rig = Rig::new().await;
    let (_stop, _) = rig.worker(async |attempt| {
        let source = attempt.fetch_source().await?;
        assert_eq!(std::fs::read(&source).unwrap(), b"not really a video");
        attempt.progress("work", 0.5, Some(2.0));
        attempt.put(&OutputFile::POSTER, &source).await?;
        Ok(report())
    });
    let task = rig.task().await;
    rig.publish(&task).await;
    // The stream refuses a copy of a queued task, which is not an error.
    rig.publish(&task).await;
    let result = rig.result().await;
    let Outcome::Succeeded(success) = &result.outcome else {
        panic!("{result:?}");
    };
    assert_eq!(success.report["answer"], 42);
    assert_eq!((result.task_id, result.attempt), (task.task_id, 1));
    let output = &success.outputs[0];
    assert!(output.key.starts_with(&task.output_prefix));
    assert_eq!(rig.store.size(&output.key).await.unwrap(), Some(output.size));
    rig.empty().await;

    // A retry of the job has a new task id: the manifest answers it, without work.
    let again = vidp_contract::Task {
        task_id: uuid::Uuid::now_v7(),
        ..task.clone()
    };
    rig.publish(&again).await;
    let repeated = rig.result().await;
    assert_eq!(repeated.task_id, again.task_id);
    assert_eq!(repeated.outcome, result.outcome);
    rig.empty().await;
}

#[tokio::test]
async fn the_handler_decides_and_the_loop_acts() {
    let rig = Rig::new().await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let (_stop, _) = rig.worker(move |attempt| {
        let counted = counted.clone();
        async move {
            counted.fetch_add(1, Ordering::Relaxed);
            match attempt.task.source.size {
                1 => Err(TaskError::fail(FailureCode::NoVideoStream, "no picture")),
                2 => Err(TaskError::Skip(SkipCode::NoAudio)),
                3 => Err(TaskError::Retry(anyhow::anyhow!("the disk is full"))),
                4 => panic!("a bug"),
                _ => attempt.fetch_source().await.map(|_| report()),
            }
        }
    });
    let mut task = rig.task().await;
    task.attempt_limit = 2;
    for (size, expected, attempts) in [
        (1, Some(FailureCode::NoVideoStream), 1),
        (3, Some(FailureCode::AttemptsExhausted), 2),
        (4, Some(FailureCode::AttemptsExhausted), 2),
        (5, Some(FailureCode::SourceCorrupt), 2),
        (2, None, 1),
    ] {
        calls.store(0, Ordering::Relaxed);
        task.task_id = uuid::Uuid::now_v7();
        task.source.size = size;
        rig.publish(&task).await;
        let result = rig.result().await;
        assert_eq!(
            (code(&result), result.attempt),
            (expected, attempts),
            "{result:?}"
        );
        assert_eq!(calls.load(Ordering::Relaxed), attempts);
        rig.empty().await;
    }
    // A failure leaves no manifest, so that a retry can succeed. The skip leaves one.
    let manifest = rig
        .store
        .read(&keys::manifest(&task.output_prefix))
        .await
        .unwrap()
        .unwrap();
    let skipped: TaskResult = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(
        skipped.outcome,
        Outcome::Skipped {
            code: SkipCode::NoAudio
        }
    );
    // The exhausted task is in the dead stream with its reason.
    let (reason, payload) = rig.dead().await;
    assert_eq!(reason, "the disk is full");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&payload).unwrap()["job_id"],
        json!(task.job_id)
    );
    // No file remains in the worker's scratch folder, except its lock.
    until(async || {
        let folders = std::fs::read_dir(&rig.config.scratch_dir).unwrap().flatten();
        let own = folders.map(|folder| folder.path()).find(|path| path.is_dir());
        let mut files = std::fs::read_dir(own.unwrap()).unwrap().flatten();
        files.all(|file| file.file_name() == "lock")
    })
    .await;
}

#[tokio::test]
async fn an_undecodable_message_goes_to_the_dead_stream() {
    let rig = Rig::new().await;
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let jetstream = async_nats::jetstream::new(rig.queue.client().clone());
    let subject = streams::task(Stage::Scale, Lane::Interactive, uuid::Uuid::now_v7());
    jetstream
        .publish(subject.clone(), "{oops".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let (reason, payload) = rig.dead().await;
    assert!(reason.starts_with("not a task"), "{reason}");
    assert_eq!(payload, b"{oops");
    let task = rig.task().await;
    rig.publish(&task).await;
    let result = rig.result().await;
    assert_eq!(result.task_id, task.task_id);
    rig.empty().await;

    // With the permissions of the API: the message is still no task. Discard it, and send a result back.
    let letter = rig.queue.dead_letter(1).await.unwrap().unwrap();
    assert_eq!(
        (
            letter.queue.as_str(),
            letter.deliveries,
            letter.subject.as_deref()
        ),
        ("scale", Some(1), Some(subject.as_str()))
    );
    assert!(
        letter
            .original()
            .unwrap_err()
            .starts_with("the message is not a task")
    );
    assert!(rig.queue.discard(1).await.unwrap() && !rig.queue.discard(1).await.unwrap());
    let letter = Letter {
        subject: streams::result(Stage::Scale, task.task_id),
        payload: serde_json::to_vec(&result).unwrap().into(),
        deliveries: None,
        id: "an id".to_owned(),
    };
    // The second call stores no second copy.
    rig.queue.bury("results", letter.clone(), "odd").await.unwrap();
    rig.queue.bury("results", letter, "odd").await.unwrap();
    let letters = rig.queue.dead_letters(1, 9).await.unwrap();
    assert_eq!(letters.len(), 1);
    let Ok(Original::Result(original)) = letters[0].original() else {
        panic!("{:?}", letters[0]);
    };
    assert_eq!(original, result);
    rig.queue.resend(&letters[0], &original).await.unwrap();
    assert_eq!(rig.result().await, result);
    assert!(rig.queue.dead_letters(0, 9).await.unwrap().is_empty());
}

/// A worker of the same stage that was taken over may write a manifest, and only the first one counts.
#[tokio::test]
async fn an_invalid_manifest_fails_its_stage() {
    let rig = Rig::new().await;
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let task = rig.task().await;
    rig.publish(&task).await;
    let first = rig.result().await;
    let manifest = keys::manifest(&task.output_prefix);
    for (place, value) in [
        ("/job_id", json!(uuid::Uuid::now_v7())),
        ("/stage", json!("detect")),
        (
            "/outcome/succeeded/outputs",
            json!([{
                "name": "720p.mp4", "key": task.source.key, "size": 1, "sha256": "0".repeat(64), "content_type": "video/mp4",
            }]),
        ),
        ("/outcome/succeeded/answer", json!(u64::MAX)),
        ("", json!("no result")),
    ] {
        let mut forged = json!(first);
        *forged.pointer_mut(place).unwrap() = value;
        let bytes = serde_json::to_vec(&forged).unwrap();
        rig.store.put(&manifest, bytes.into()).await.unwrap();
        let again = vidp_contract::Task {
            task_id: uuid::Uuid::now_v7(),
            ..task.clone()
        };
        rig.publish(&again).await;
        let result = rig.result().await;
        assert_eq!(result.task_id, again.task_id);
        assert_eq!(code(&result), Some(FailureCode::Internal), "{place}");
        rig.empty().await;
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_stored_is_not_committed() {
    let rig = Rig::new().await;
    let (_stop, _) = rig.worker(async |_| {
        let mut report = report();
        report.insert("bytes".to_owned(), json!(u64::MAX));
        Ok(report)
    });
    let task = rig.task().await;
    rig.publish(&task).await;
    assert_eq!(code(&rig.result().await), Some(FailureCode::Internal));
    let manifest = keys::manifest(&task.output_prefix);
    assert_eq!(rig.store.size(&manifest).await.unwrap(), None);
}
