//! Messages that come too often, and messages that cannot be parsed.

use super::Scene;
use anyhow::{Result, ensure};
use async_nats::jetstream;
use futures_util::StreamExt;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;
use vidp_contract::{Stage, streams};

/// Everything that passes is published twice more: a task once its first copy has been acknowledged, a result always.
pub(super) async fn echo(scene: &mut Scene<'_>) -> Result<()> {
    let client = scene.rig.stack.queue.client();
    let context = jetstream::new(client.clone());
    let mut passing = client.subscribe("vidp.>").await?;
    let started = Instant::now();
    let mut heard = Vec::new();
    while let Some(left) = scene.time.checked_sub(started.elapsed()) {
        match tokio::time::timeout(left, passing.next()).await {
            Ok(Some(message)) if message.subject.starts_with("vidp.results.") && heard.len() < 300 => {
                heard.push((message.subject, message.payload));
            }
            Ok(Some(message)) if message.subject.starts_with("vidp.tasks.") && heard.len() < 300 => {
                heard.push((message.subject, message.payload));
            }
            Ok(Some(_)) => {}
            _ => break,
        }
    }
    drop(passing);
    for _ in 0..2 {
        for (subject, payload) in &heard {
            // Refused while the task is queued still: that copy is the one that counts.
            let _ = context.publish(subject.clone(), payload.clone()).await?.await;
        }
        sleep(Duration::from_millis(500)).await;
    }
    // With a new consumer the API reads every result again from the start.
    let again = format!(
        "$JS.API.CONSUMER.DELETE.{}.{}",
        streams::RESULTS,
        streams::API_CONSUMER
    );
    client.request(again, "{}".into()).await?;
    Ok(())
}

/// Each must end in the dead stream, and must not delay other messages.
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
    let started = Instant::now();
    while dead(scene).await? < before + sent {
        ensure!(
            started.elapsed() < Duration::from_secs(30),
            "{sent} messages that cannot be parsed, {} more in the dead stream",
            dead(scene).await? - before
        );
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn dead(scene: &Scene<'_>) -> Result<u64> {
    let figures = scene.rig.stack.queue.metrics().await?;
    Ok(figures.streams[streams::DEAD].messages)
}
