//! A file that needs more memory than its worker has.

use super::fault::{Scene, Skipped};
use crate::{media, memory::MemoryLimit, stack::READY_LIMIT};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Memory of one worker in bytes: enough for every file but the large one.
const MEMORY_LIMIT: u64 = 190 << 20;
/// Attempts per task, few enough that the verdict does not take minutes.
const ATTEMPT_LIMIT: &str = "3";

/// Uploads the large file: the kernel must kill its ffmpeg, not the worker, and the other jobs must continue.
pub(super) async fn exceed_limit(scene: &mut Scene<'_>) -> Result<()> {
    let (rig, stack) = (scene.rig, &scene.rig.stack);
    let large = media::index_of(&rig.samples, media::LARGE);
    let workers = &stack.workers[..2];
    let mut groups = Vec::new();
    for worker in workers {
        let group =
            MemoryLimit::new(&worker.name, MEMORY_LIMIT).map_err(|error| Skipped(format!("{error:#}")))?;
        group.add(worker.pid().context("the worker is not running")?)?;
        groups.push(group);
    }
    stack.api.launch(&[("VIDP_ATTEMPT_LIMIT", ATTEMPT_LIMIT)])?;
    stack.until_ready(READY_LIMIT).await?;
    let before: u32 = workers.iter().map(|worker| worker.crashes()).sum();
    let id = scene
        .load
        .upload(rig, large)
        .await
        .context("the upload was refused")?;
    let started = Instant::now();
    while !rig.watch.has_ended(&id) || started.elapsed() < scene.time {
        ensure!(
            started.elapsed() < Duration::from_secs(90),
            "the large file has no verdict after 90 s"
        );
        sleep(Duration::from_millis(100)).await;
    }
    stack.api.launch(&[])?;
    stack.until_ready(READY_LIMIT).await?;
    let kills: u64 = groups.iter().map(MemoryLimit::kills).sum();
    let after: u32 = workers.iter().map(|worker| worker.crashes()).sum();
    ensure!(
        kills > 0,
        "the kernel killed no process, so the memory limit was not reached"
    );
    ensure!(
        after == before,
        "{} workers ended while the large file was processed",
        after - before
    );
    Ok(())
}
