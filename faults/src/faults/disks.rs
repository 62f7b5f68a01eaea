//! Full disks, and a power cut of the broker.

use super::fault::{Scene, Skipped};
use crate::{
    process::Process,
    stack::{Disks, READY_LIMIT},
};
use anyhow::{Result, ensure};
use async_nats::jetstream;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use uuid::Uuid;
use vidp_contract::{Outcome, Stage, Success, TaskResult, Timings, streams};

/// The default `sync_interval` of the broker: for this time, confirmed messages may be only in the kernel's memory.
const DEFAULT_SYNC: &str = "2m";

/// The small disks; [`Skipped`] with the reason when this process has none.
fn disks<'a>(scene: &Scene<'a>) -> Result<&'a Disks> {
    let disks = scene.rig.stack.disks.as_ref();
    Ok(disks.map_err(|error| Skipped(format!("{error:#}")))?)
}

/// Fills the broker's disk: uploads must be accepted, and no process of VidP may end.
///
/// The broker and the object store refuse writes even after space is free, until an operator restarts them (nats-server
/// 2.15, SeaweedFS 4.48). VidP's processes must resume without a restart.
pub(super) async fn broker(scene: &mut Scene<'_>) -> Result<()> {
    let (disk, stack) = (&disks(scene)?.broker, &scene.rig.stack);
    let before = crashes(scene);
    // The fault before this one may not have healed yet.
    stack.until_ready(READY_LIMIT).await?;
    disk.fill()?;
    // An upload needs MongoDB and the bucket, not the broker.
    let uploaded = scene.load.upload(scene.rig, 0).await;
    sleep(scene.time).await;
    disk.free()?;
    stack.engines().nats.restart()?;
    ensure!(
        uploaded.is_some(),
        "an upload was refused while the broker's disk was full"
    );
    ensure_no_crash(scene, before)
}

/// Fills the bucket's disk, and restarts the object store as an operator would: no process of VidP may end.
pub(super) async fn bucket(scene: &mut Scene<'_>) -> Result<()> {
    let (disk, stack) = (&disks(scene)?.bucket, &scene.rig.stack);
    let before = crashes(scene);
    disk.fill()?;
    sleep(scene.time).await;
    disk.free()?;
    stack.engines().s3.restart()?;
    ensure_no_crash(scene, before)
}

/// Fills the workers' disk: tasks must wait without using up their attempts.
pub(super) async fn scratch(scene: &mut Scene<'_>) -> Result<()> {
    let disk = &disks(scene)?.scratch;
    let (before, known) = (crashes(scene), scene.load.accepted().len());
    disk.fill()?;
    sleep(scene.time).await;
    // A worker with a full disk must pull no task, so a waiting task uses up no attempt.
    let jobs = scene.rig.watch.jobs();
    let new = &scene.load.accepted()[known..];
    let attempts = new
        .iter()
        .filter_map(|job| Some(jobs.get(&job.id)?.max_attempt()));
    let max_attempt = attempts.max().unwrap_or(0);
    drop(jobs);
    disk.free()?;
    ensure!(
        max_attempt <= 2,
        "a task was started {max_attempt} times while the disk was full"
    );
    ensure_no_crash(scene, before)
}

/// Number of unexpected ends of all services.
fn crashes(scene: &Scene<'_>) -> u32 {
    scene.rig.stack.processes().map(Process::crashes).sum()
}

fn ensure_no_crash(scene: &Scene<'_>, before: u32) -> Result<()> {
    let ended = crashes(scene) - before;
    ensure!(ended == 0, "{ended} services ended while a disk was full");
    Ok(())
}

/// Cuts the broker's power twice: first with VidP's `sync_interval: always`, then with the broker's default.
///
/// After the first cut no confirmed message may be missing. After the second some are, and no job may be lost.
pub(super) async fn power_cut(scene: &mut Scene<'_>) -> Result<()> {
    let disk = &disks(scene)?.broker;
    sleep(scene.time / 2).await;
    let before = results(scene).await?;
    confirm(scene).await?;
    let stack = &scene.rig.stack;
    {
        let mut engines = stack.engines();
        engines.nats.daemon().kill();
        disk.cut_power()?;
        engines.nats.sync_every(DEFAULT_SYNC);
        engines.nats.restart()?;
    }
    let after = results(scene).await?;
    ensure!(
        after > before,
        "{} results were confirmed before the power cut, and {after} are stored after it",
        before + 1
    );
    sleep(scene.time / 2).await;
    {
        let mut engines = stack.engines();
        engines.nats.daemon().kill();
        disk.cut_power()?;
        remove_zeroed_states(&stack.dir.join("nats"))?;
        engines.nats.sync_every("always");
        engines.nats.restart()?;
    }
    Ok(())
}

/// Removes the states of consumers that consist of zeros, as `docs/operations.md` says: with them nats-server can neither load
/// nor create the consumer. The file system had stored their sizes and not yet their content.
fn remove_zeroed_states(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_zeroed_states(&path)?;
        } else if path.ends_with("o.dat") && std::fs::read(&path)?.iter().all(|byte| *byte == 0) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Stores one more result and waits until the broker confirms it.
///
/// The broker may count a message before it has confirmed it, but it confirms the messages of a stream in order. So
/// this confirmation covers all results that were counted before. The API acknowledges and ignores the result, because
/// its job does not exist.
async fn confirm(scene: &Scene<'_>) -> Result<()> {
    let result = TaskResult {
        task_id: Uuid::now_v7(),
        job_id: Uuid::now_v7(),
        stage: Stage::Scale,
        attempt: 1,
        outcome: Outcome::Succeeded(Success::default()),
        timings: Timings::default(),
        worker: "faults".to_owned(),
    };
    let context = jetstream::new(scene.rig.stack.queue.client().clone());
    let subject = streams::result(result.stage, result.task_id);
    let payload = serde_json::to_vec(&result)?;
    context.publish(subject, payload.into()).await?.await?;
    Ok(())
}

/// Number of results that the broker stores. Retries for 20 s, because the harness's client may have to reconnect.
async fn results(scene: &Scene<'_>) -> Result<u64> {
    let started = Instant::now();
    loop {
        match scene.rig.stack.queue.metrics().await {
            Ok(metrics) => return Ok(metrics.streams[streams::RESULTS].messages),
            Err(error) if started.elapsed() > Duration::from_secs(20) => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}
