//! Faults of MongoDB.

use super::Scene;
use crate::process::send;
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::time::sleep;

pub(super) async fn kill(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        sleep(Duration::from_millis(scene.random.u64(500..2500))).await;
        let mut engines = scene.rig.stack.engines();
        engines.mongo.daemon().kill();
        engines.mongo.restart()?;
    }
    Ok(())
}

pub(super) async fn freeze(scene: &mut Scene<'_>) -> Result<()> {
    let pid = scene.rig.stack.engines().mongo.pid();
    send(pid, libc::SIGSTOP);
    sleep(scene.time).await;
    send(pid, libc::SIGCONT);
    Ok(())
}
