//! Disks that are full, and a broker whose power is cut.

use super::{Scene, Skipped};
use crate::{
    process::Process,
    stack::{Disks, READY},
};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use vidp_contract::streams;

/// The broker's own default: what it confirms may be in the kernel's memory only, for this time.
const DEFAULT_SYNC: &str = "2m";
/// What the broker counts, it has confirmed within this time.
const CONFIRMED: Duration = Duration::from_millis(300);

fn disks<'a>(scene: &Scene<'a>) -> Result<&'a Disks> {
    let disks = scene.rig.stack.disks.as_ref();
    Ok(disks.map_err(|error| Skipped(format!("{error:#}")))?)
}

/// Both engines refuse to write also when there is room again, until they are restarted (nats-server 2.15, SeaweedFS
/// 4.48): that is the operator's part. No process of VidP may need it.
pub(super) async fn broker(scene: &mut Scene<'_>) -> Result<()> {
    let (disk, stack) = (&disks(scene)?.broker, &scene.rig.stack);
    let before = crashes(scene);
    // From the fault before this one.
    stack.until_ready(READY).await?;
    disk.fill()?;
    // An upload needs the record and the bucket, not the broker.
    let uploaded = scene.load.upload(scene.rig, 0).await;
    sleep(scene.time).await;
    disk.free()?;
    stack.engines().nats.restart()?;
    ensure!(
        uploaded.is_some(),
        "an upload was refused while the broker's disk was full"
    );
    unhurt(scene, before)
}

pub(super) async fn bucket(scene: &mut Scene<'_>) -> Result<()> {
    let (disk, stack) = (&disks(scene)?.bucket, &scene.rig.stack);
    let before = crashes(scene);
    disk.fill()?;
    sleep(scene.time).await;
    disk.free()?;
    stack.engines().s3.restart()?;
    unhurt(scene, before)
}

pub(super) async fn scratch(scene: &mut Scene<'_>) -> Result<()> {
    let disk = &disks(scene)?.scratch;
    let (before, known) = (crashes(scene), scene.load.accepted().len());
    disk.fill()?;
    sleep(scene.time).await;
    // A worker without room takes no tasks: what waits does not use up its attempts.
    let jobs = scene.rig.watch.jobs();
    let new = &scene.load.accepted()[known..];
    let tries = new.iter().filter_map(|job| Some(jobs.get(&job.id)?.attempts()));
    let most = tries.max().unwrap_or(0);
    drop(jobs);
    disk.free()?;
    ensure!(most <= 2, "a task was begun {most} times while the disk was full");
    unhurt(scene, before)
}

fn crashes(scene: &Scene<'_>) -> u32 {
    scene.rig.stack.processes().map(Process::crashes).sum()
}

fn unhurt(scene: &Scene<'_>, before: u32) -> Result<()> {
    let ended = crashes(scene) - before;
    ensure!(ended == 0, "{ended} services ended because a disk was full");
    Ok(())
}

/// Once as VidP sets the broker up, when nothing that was confirmed may be missing; once with the broker's own default,
/// which syncs every two minutes.
pub(super) async fn power_cut(scene: &mut Scene<'_>) -> Result<()> {
    let disk = &disks(scene)?.broker;
    sleep(scene.time / 2).await;
    let before = results(scene).await?;
    sleep(CONFIRMED).await;
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
        after >= before,
        "{before} results were confirmed before the power cut, {after} are there after it"
    );
    sleep(scene.time / 2).await;
    {
        let mut engines = stack.engines();
        engines.nats.daemon().kill();
        disk.cut_power()?;
        engines.nats.sync_every("always");
        engines.nats.restart()?;
    }
    Ok(())
}

/// How many results the broker has stored.
async fn results(scene: &Scene<'_>) -> Result<u64> {
    let started = Instant::now();
    loop {
        match scene.rig.stack.queue.metrics().await {
            Ok(figures) => return Ok(figures.streams[streams::RESULTS].messages),
            // Our own client has to connect again.
            Err(error) if started.elapsed() > Duration::from_secs(20) => return Err(error.into()),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}
