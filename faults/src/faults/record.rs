//! Faults of the record (MongoDB).

use super::fault::Scene;
use crate::process::send_signal;
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Kills MongoDB and starts it again, repeatedly.
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

/// Stops MongoDB with SIGSTOP for the fault's time.
pub(super) async fn freeze(scene: &mut Scene<'_>) -> Result<()> {
    let pid = scene.rig.stack.engines().mongo.pid();
    send_signal(pid, libc::SIGSTOP);
    sleep(scene.time).await;
    send_signal(pid, libc::SIGCONT);
    Ok(())
}
