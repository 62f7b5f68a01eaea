//! A crash at each numbered step of the commit sequences.

use super::Scene;
use crate::stack::READY;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use vidp_common::crash;
use vidp_contract::Stage;

/// Limit for a process to reach the step.
const LATE: Duration = Duration::from_secs(30);

/// One after the other: the process that takes the step is restarted to crash there, and must crash.
pub(super) async fn each(scene: &mut Scene<'_>) -> Result<()> {
    let stack = &scene.rig.stack;
    for step in crash::STEPS {
        let worker = step.starts_with("delivery.") || step.starts_with("commit.");
        let process = if worker { &stack.workers[0] } else { &stack.api };
        let before = process.crashes();
        process.launch(&[("VIDP_CRASH_AT", step)])?;
        if !worker {
            until_listening(scene).await;
        }
        let started = Instant::now();
        while process.crashes() == before {
            provoke(scene, step).await?;
            process.revive()?;
            ensure!(started.elapsed() < LATE, "no process came to the step {step}");
            sleep(Duration::from_millis(50)).await;
        }
        stack.until_ready(READY).await?;
    }
    Ok(())
}

async fn until_listening(scene: &Scene<'_>) {
    let url = format!("{}/health", scene.rig.stack.url);
    for _ in 0..200 {
        if scene.rig.stack.http.get(&url).send().await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(25)).await;
    }
}

/// What makes the step happen, where uploads alone do not.
async fn provoke(scene: &mut Scene<'_>, step: &str) -> Result<()> {
    let (rig, stack) = (scene.rig, &scene.rig.stack);
    let url = |id: &str, action: &str| format!("{}/api/v1/jobs/{id}{action}", stack.url);
    match step {
        "cancel.recorded" => {
            // A job of its own, that the checker does not expect to succeed.
            if let Some(id) = upload_apart(scene).await {
                let _ = stack.http.post(url(&id, "/cancel")).send().await;
            }
        }
        "delete.recorded" | "delete.objects" => {
            if let Some(id) = upload_apart(scene).await {
                let _ = stack.http.post(url(&id, "/cancel")).send().await;
                let _ = stack.http.delete(url(&id, "")).send().await;
            }
        }
        "sweep.found" => {
            // A task that the broker has lost.
            if let Some(id) = upload_apart(scene).await
                && let Ok(answer) = stack.http.get(url(&id, "")).send().await
                && answer.status() == 200
            {
                for lane in vidp_contract::Lane::ALL {
                    let subject = format!("vidp.tasks.{}.{lane}.*", Stage::Scale);
                    let body = format!("{{\"filter\":\"{subject}\"}}");
                    let purge = format!("$JS.API.STREAM.PURGE.{}", vidp_contract::streams::TASKS);
                    let _ = stack.queue.client().request(purge, body.into()).await;
                }
                sleep(Duration::from_secs(2)).await;
            }
        }
        _ if step.starts_with("resumable.") => {
            let _ = scene.load.upload_resumably(rig, 0).await;
        }
        _ => {
            let _ = scene.load.upload(rig, 0).await;
        }
    }
    Ok(())
}

/// An upload that is not among the load's promises.
async fn upload_apart(scene: &Scene<'_>) -> Option<String> {
    let apart = crate::load::Load::default();
    apart.upload(scene.rig, 0).await
}
