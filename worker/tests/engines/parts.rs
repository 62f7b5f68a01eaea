//! Finished parts of a task: a later delivery uses them, and a death after a part is no failed attempt.

use crate::harness::{Rig, report};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::sync::mpsc;
use vidp_contract::{FailureCode, Outcome, Task, TaskResult, keys};
use vidp_worker::{Attempt, TaskError};

fn path(attempt: &Attempt) -> PathBuf {
    attempt.scratch.join("part")
}

/// Fetches the part `name`, or makes and stores it; returns true when it was fetched.
async fn part(attempt: &Attempt, name: &str) -> bool {
    let path = path(attempt);
    if let Some(facts) = attempt.fetch_part::<u32>(name, &[&path]).await {
        assert_eq!((facts, std::fs::read(&path).unwrap()), (7, b"work".to_vec()));
        return true;
    }
    std::fs::write(&path, b"work").unwrap();
    attempt.store_part(name, &[&path], &7_u32).await;
    false
}

fn note(task: &Task, number: u32) -> String {
    keys::delivery(&task.output_prefix, task.task_id, number)
}

fn check_success(result: &TaskResult, attempt: u32) {
    assert!(matches!(result.outcome, Outcome::Succeeded(_)), "{result:?}");
    assert_eq!(result.attempt, attempt);
}

#[tokio::test]
async fn the_next_delivery_goes_on_from_finished_parts() {
    let rig = Rig::new().await;
    let made = Arc::new(AtomicU32::new(0));
    let counted = made.clone();
    let (_stop, _) = rig.worker(move |attempt| {
        let counted = counted.clone();
        async move {
            for name in ["one", "two"] {
                if !part(&attempt, name).await {
                    counted.fetch_add(1, Ordering::Relaxed);
                    return Err(TaskError::Retry(anyhow::anyhow!("a part a delivery")));
                }
            }
            Ok(report())
        }
    });
    rig.publish(&rig.task().await).await;
    check_success(&rig.result().await, 3);
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

/// Workers that die after a part use no attempt up. One that dies without a part does.
#[tokio::test]
async fn a_death_after_a_part_is_no_failed_attempt() {
    let rig = Rig::new().await;
    let mut task = rig.task().await;
    task.attempt_limit = 1;
    rig.publish(&task).await;
    for number in 1..=2 {
        rig.die().await;
        rig.store
            .put(&note(&task, number), "advanced".into())
            .await
            .unwrap();
    }
    rig.die().await;
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let result = rig.result().await;
    let Outcome::Failed { code, detail } = &result.outcome else {
        panic!("{result:?}");
    };
    assert_eq!((*code, result.attempt), (FailureCode::WorkerDied, 4), "{detail}");
}

/// A film that advances may be handed over any number of times.
#[tokio::test]
async fn a_handover_after_a_part_is_none_of_its_budget() {
    let mut rig = Rig::new().await;
    rig.config.drain_seconds = 0;
    let task = rig.task().await;
    rig.publish(&task).await;
    let (stored, mut parts) = mpsc::unbounded_channel();
    let (stop, ended) = rig.worker(move |attempt| {
        let stored = stored.clone();
        async move {
            part(&attempt, "one").await;
            stored.send(()).unwrap();
            attempt.cancel.cancelled().await;
            Err(TaskError::Cancelled)
        }
    });
    parts.recv().await.unwrap();
    stop.cancel();
    ended.await.unwrap();
    let stored = rig.store.read(&note(&task, 1)).await.unwrap();
    assert_eq!(stored.unwrap(), b"advanced"[..]);
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    check_success(&rig.result().await, 2);
}

/// The store may have anything below the key of a part.
#[tokio::test]
async fn a_part_that_cannot_be_used_is_made_again() {
    let rig = Rig::new().await;
    let task = rig.task().await;
    let foreign = keys::source(task.job_id);
    let hash = &task.source.sha256;
    for (name, text) in [
        ("one", "no manifest".to_owned()),
        (
            "two",
            format!(r#"{{"files":[{{"key":"{foreign}","size":18,"sha256":"{hash}"}}],"facts":7}}"#),
        ),
    ] {
        let key = keys::part(&task.output_prefix, task.task_id, name);
        rig.store.put(&key, text.into()).await.unwrap();
    }
    let (_stop, _) = rig.worker(async |attempt| {
        assert!(!part(&attempt, "one").await);
        assert!(!part(&attempt, "two").await);
        assert!(!part(&attempt, "three").await);
        assert!(part(&attempt, "three").await);
        let note = attempt.store.read(&note(&attempt.task, 1)).await.unwrap();
        assert_eq!(note.unwrap(), b"advanced"[..]);
        Ok(report())
    });
    rig.publish(&task).await;
    check_success(&rig.result().await, 1);
}
