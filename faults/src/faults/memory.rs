//! A file that needs more memory than its worker has.

use super::{Scene, Skipped};
use crate::{media, memory::Memory, stack::READY};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Enough for every other file, and not for the large one.
const LIMIT: u64 = 190 << 20;
/// Fewer attempts, so that the file's verdict does not take minutes.
const ATTEMPTS: &str = "3";

/// The kernel kills the child that takes too much; the worker and the jobs beside it continue.
pub(super) async fn hungry(scene: &mut Scene<'_>) -> Result<()> {
    let (rig, stack) = (scene.rig, &scene.rig.stack);
    let large = media::place(&rig.samples, media::LARGE);
    let workers = &stack.workers[..2];
    let mut groups = Vec::new();
    for worker in workers {
        let group = Memory::limit(&worker.name, LIMIT).map_err(|error| Skipped(format!("{error:#}")))?;
        group.take(worker.pid().context("it runs")?)?;
        groups.push(group);
    }
    stack.api.launch(&[("VIDP_ATTEMPT_LIMIT", ATTEMPTS)])?;
    stack.until_ready(READY).await?;
    let before: u32 = workers.iter().map(|worker| worker.crashes()).sum();
    let id = scene.load.upload(rig, large).await.context("an upload")?;
    let started = Instant::now();
    while !rig.watch.has_ended(&id) || started.elapsed() < scene.time {
        ensure!(
            started.elapsed() < Duration::from_secs(90),
            "the large file has no verdict"
        );
        sleep(Duration::from_millis(100)).await;
    }
    stack.api.launch(&[])?;
    stack.until_ready(READY).await?;
    let kills: u64 = groups.iter().map(Memory::kills).sum();
    let after: u32 = workers.iter().map(|worker| worker.crashes()).sum();
    ensure!(kills > 0, "the kernel had no reason to kill anything");
    ensure!(
        after == before,
        "{} workers died of the large file",
        after - before
    );
    Ok(())
}
