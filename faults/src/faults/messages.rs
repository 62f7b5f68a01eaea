//! Messages that are published more than once, and messages that cannot be applied.

use super::fault::Scene;
use anyhow::{Result, ensure};
use async_nats::jetstream;
use futures_util::StreamExt;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;
use vidp_contract::{Outcome, Stage, Success, TaskResult, Timings, streams};

/// Records tasks and results, publishes each twice more, and makes the API read all results again.
///
/// The broker refuses the copy of a task that is still queued, and stores every copy of a result.
pub(super) async fn echo(scene: &mut Scene<'_>) -> Result<()> {
    let client = scene.rig.stack.queue.client();
    let context = jetstream::new(client.clone());
    let mut subscription = client.subscribe("vidp.>").await?;
    let started = Instant::now();
    let mut recorded = Vec::new();
    while let Some(left) = scene.time.checked_sub(started.elapsed()) {
        match tokio::time::timeout(left, subscription.next()).await {
            Ok(Some(message)) if message.subject.starts_with("vidp.results.") && recorded.len() < 300 => {
                recorded.push((message.subject, message.payload));
            }
            Ok(Some(message)) if message.subject.starts_with("vidp.tasks.") && recorded.len() < 300 => {
                recorded.push((message.subject, message.payload));
            }
            Ok(Some(_)) => {}
            _ => break,
        }
    }
    drop(subscription);
    for _ in 0..2 {
        for (subject, payload) in &recorded {
            // The broker refuses it while the task is still queued; then the queued message remains the only one.
            let _ = context.publish(subject.clone(), payload.clone()).await?.await;
        }
        sleep(Duration::from_millis(500)).await;
    }
    // The API creates the consumer again, and reads every result from the start of the stream.
    let deletion = format!(
        "$JS.API.CONSUMER.DELETE.{}.{}",
        streams::RESULTS,
        streams::API_CONSUMER
    );
    client.request(deletion, "{}".into()).await?;
    Ok(())
}

/// Publishes messages that cannot be parsed or stored, or belong to another task: each must be moved to the dead stream, without delaying other messages.
pub(super) async fn foreign(scene: &mut Scene<'_>) -> Result<()> {
    let stack = &scene.rig.stack;
    let context = jetstream::new(stack.queue.client().clone());
    let before = dead(scene).await?;
    let mut sent = 0;
    let payloads: [&[u8]; 5] = [b"", b"not json", b"{}", b"[1,2,3]", b"{\"task_id\":\"x\"}"];
    for payload in payloads {
        for stage in Stage::ALL {
            let subject = format!("vidp.tasks.{stage}.interactive.{}", Uuid::now_v7());
            context.publish(subject, payload.into()).await?.await?;
            let subject = streams::result(stage, Uuid::now_v7());
            context.publish(subject, payload.into()).await?.await?;
            sent += 2;
        }
    }
    for stage in Stage::ALL {
        let report = json!({ "bytes_read": u64::MAX });
        let result = TaskResult {
            task_id: Uuid::now_v7(),
            job_id: Uuid::now_v7(),
            stage,
            attempt: 1,
            outcome: Outcome::Succeeded(Success {
                outputs: Vec::new(),
                report: report.as_object().cloned().unwrap_or_default(),
            }),
            timings: Timings::default(),
            worker: "faults".to_owned(),
        };
        let payload = serde_json::to_vec(&result)?;
        // The first cannot be stored, and the second belongs to another task.
        for task_id in [result.task_id, Uuid::now_v7()] {
            let subject = streams::result(stage, task_id);
            context.publish(subject, payload.clone().into()).await?.await?;
            sent += 1;
        }
    }
    let started = Instant::now();
    while dead(scene).await? < before + sent {
        ensure!(
            started.elapsed() < Duration::from_secs(30),
            "{sent} messages that cannot be applied were published, and {} arrived in the dead stream",
            dead(scene).await? - before
        );
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Number of messages in the dead stream.
async fn dead(scene: &Scene<'_>) -> Result<u64> {
    let metrics = scene.rig.stack.queue.metrics().await?;
    Ok(metrics.streams[streams::DEAD].messages)
}
