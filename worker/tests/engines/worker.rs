use crate::harness::{LIMIT, Rig, report, until};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use vidp_common::queue::Cancel;
use vidp_contract::{FailureCode, Lane, Outcome, SkipCode, Stage, TaskResult, TraceParent, keys, streams};
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
        attempt
            .put("copy.bin", &source, "application/octet-stream")
            .await?;
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
    // No file remains in the scratch folder.
    let scratch = rig
        .config
        .scratch_dir
        .join(format!("detect-{}", std::process::id()));
    until(async || std::fs::read_dir(&scratch).unwrap().next().is_none()).await;
}

#[tokio::test]
async fn an_undecodable_message_goes_to_the_dead_stream() {
    let rig = Rig::new().await;
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let jetstream = async_nats::jetstream::new(rig.queue.client().clone());
    let subject = streams::task(Stage::Detect, Lane::Interactive, uuid::Uuid::now_v7());
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
    assert_eq!(rig.result().await.task_id, task.task_id);
    rig.empty().await;

    // With the permissions of the API: requeue the message, which fails again, and discard it.
    let letter = rig.queue.dead_letter(1).await.unwrap().unwrap();
    assert_eq!(
        (letter.queue.as_str(), letter.deliveries, letter.home()),
        ("detect", Some(1), Some(subject.as_str()))
    );
    assert!(rig.queue.redrive(&letter).await.unwrap());
    until(async || rig.queue.dead_letter(2).await.unwrap().is_some()).await;
    assert!(rig.queue.dead_letter(1).await.unwrap().is_none());
    assert!(rig.queue.discard(2).await.unwrap() && !rig.queue.discard(2).await.unwrap());
    let mut headers = async_nats::HeaderMap::new();
    let subject = streams::result(Stage::Detect, task.task_id);
    headers.insert(streams::DEAD_SUBJECT_HEADER, subject.as_str());
    let sent = jetstream.publish_with_headers(streams::dead("results"), headers, "{}".into());
    sent.await.unwrap().await.unwrap();
    let letters = rig.queue.dead_letters(2, 9).await.unwrap();
    assert!(letters.len() == 1 && rig.queue.redrive(&letters[0]).await.unwrap());
}

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
    let attempt = starts.recv().await.unwrap();
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
    starts.recv().await.unwrap();
    stop.cancel();
    let asked = Instant::now();
    ended.await.unwrap();
    // The worker drains for one second and then hands the task over.
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let result = rig.result().await;
    assert_eq!((result.task_id, result.attempt), (task.task_id, 2));
}

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

#[tokio::test]
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
    let first = starts.recv().await.unwrap();
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
    rig.nats = vidp_engines::Nats::start(&rig.folder.path().join("nats"), rig.nats.port()).unwrap();
    let result = rig.result().await;
    assert_eq!(result.task_id, task.task_id);
    assert!(result.attempt > 1);
}

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
        if order.recv().await.unwrap() == 99 {
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
    starts.recv().await.unwrap();
    let first = Instant::now();
    for _ in 1..10 {
        starts.recv().await.unwrap();
    }
    // Regression: each task once waited one second.
    assert!(first.elapsed() < Duration::from_secs(5), "{:?}", first.elapsed());
}

#[tokio::test]
async fn an_outage_of_the_store_uses_up_no_attempts_and_no_finished_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut s3 = vidp_engines::S3::start(folder.path(), 0).unwrap();
    let rig = Rig::on(&s3).await;
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
    assert_eq!(starts.recv().await, Some(1));
    s3.stop();
    // The work is done and cannot be committed. The worker retries until the store is back.
    go.send(true).unwrap();
    s3.restart().unwrap();
    let result = rig.result().await;
    assert!(matches!(result.outcome, Outcome::Succeeded(_)), "{result:?}");
    assert_eq!(result.attempt, 1);
    rig.empty().await;
}
