//! A crash at each numbered step of the commit sequences.

use super::fault::Scene;
use crate::{
    media,
    proxy::Wire,
    stack::{Link, READY_LIMIT},
};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use vidp_common::crash;
use vidp_contract::Stage;

/// Maximum time until a process reaches the step.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// Open jobs above which no further one is uploaded for a step.
const MAX_OPEN: usize = 12;
/// Maximum time until the jobs of the load have ended.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// For each step, restarts the processes that may execute it with the setting to crash there, and waits for the crash of one.
pub(super) async fn each(scene: &mut Scene<'_>) -> Result<()> {
    let stack = &scene.rig.stack;
    for step in crash::STEPS {
        let worker = ["delivery.", "part.", "commit.", "handover."]
            .iter()
            .any(|part| step.starts_with(part));
        // While tasks wait, workers take them before parts.
        let needs_idle = step == "part.taken";
        if needs_idle {
            scene.load.pause(true);
            until_idle(scene).await;
        }
        let processes = match step {
            // Either worker of `scale` may get the task of a film, and the other one takes its parts.
            "part.taken" => &stack.workers[..2],
            _ if worker => &stack.workers[..1],
            _ => std::slice::from_ref(&stack.api),
        };
        let crashes = || processes.iter().map(|process| process.crashes()).sum::<u32>();
        let before = crashes();
        for process in processes {
            process.launch(&[("VIDP_CRASH_AT", step), ("VIDP_DRAIN_SECONDS", "0")])?;
        }
        if !worker {
            until_listening(scene).await;
        }
        let started = Instant::now();
        while crashes() == before {
            provoke(scene, step).await?;
            for process in processes {
                process.restart_crashed()?;
            }
            ensure!(
                started.elapsed() < STEP_LIMIT,
                "no process reached the step {step} within {} s",
                STEP_LIMIT.as_secs()
            );
            sleep(Duration::from_millis(50)).await;
        }
        if processes.len() > 1 {
            // The one that did not crash would do so at a later step.
            for process in processes {
                process.launch(&[])?;
            }
        }
        scene.load.pause(false);
        stack.until_ready(READY_LIMIT).await?;
    }
    Ok(())
}

/// Waits at most 60 s until all jobs have ended.
async fn until_idle(scene: &Scene<'_>) {
    let started = Instant::now();
    while scene.load.open_jobs(scene.rig) > 0 && started.elapsed() < IDLE_LIMIT {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits at most 5 s until the API answers.
async fn until_listening(scene: &Scene<'_>) {
    let url = format!("{}/health", scene.rig.stack.url);
    for _ in 0..200 {
        if scene.rig.stack.http.get(&url).send().await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(25)).await;
    }
}

/// Sends the requests that make the process execute the step.
async fn provoke(scene: &mut Scene<'_>, step: &str) -> Result<()> {
    let (rig, stack) = (scene.rig, &scene.rig.stack);
    let url = |id: &str, action: &str| format!("{}/api/v1/jobs/{id}{action}", stack.url);
    match step {
        "cancel.recorded" => {
            // A separate job, which the checker does not expect to succeed.
            if let Some(id) = upload_untracked(scene).await {
                let _ = stack.http.post(url(&id, "/cancel")).send().await;
            }
        }
        "delete.recorded" | "delete.objects" => {
            if let Some(id) = upload_untracked(scene).await {
                let _ = stack.http.post(url(&id, "/cancel")).send().await;
                let _ = stack.http.delete(url(&id, "")).send().await;
            }
        }
        "sweep.found" => {
            // The purge simulates a task that the broker has lost.
            if let Some(id) = upload_untracked(scene).await
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
        "handover.noted" => {
            let worker = &stack.workers[0];
            stack.wire(Link::WorkerS3, Wire::Slow(rig.samples[0].bytes.len() / 10));
            let _ = scene.load.upload(rig, 0).await;
            // An idle worker hands nothing over: it would end without reaching the step.
            if worker.runs_a_task(&stack.http).await {
                worker.signal(libc::SIGTERM);
                sleep(Duration::from_secs(1)).await;
            }
            stack.open_all_wires();
        }
        _ if step.starts_with("part.") => {
            let film = media::index_of(&rig.samples, media::FILM);
            let _ = scene.load.upload(rig, film).await;
            // A film takes a while, and a queue of many films would outlast the fault.
            sleep(Duration::from_secs(3)).await;
        }
        // A step that comes with time needs no further jobs, whose queue would outlast the fault.
        _ if scene.load.open_jobs(rig) >= MAX_OPEN => {}
        _ if step.starts_with("resumable.") => {
            let _ = scene.load.upload_resumably(rig, 0).await;
        }
        _ => {
            let _ = scene.load.upload(rig, 0).await;
        }
    }
    Ok(())
}

/// Uploads a file that the checker does not follow.
async fn upload_untracked(scene: &Scene<'_>) -> Option<String> {
    let untracked = crate::load::Load::default();
    untracked.upload(scene.rig, 0).await
}
