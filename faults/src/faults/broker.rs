//! Faults of the broker (NATS).

use super::fault::Scene;
use crate::process::send_signal;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use vidp_contract::streams;

/// Kills the broker and starts it again, repeatedly.
pub(super) async fn kill(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        sleep(Duration::from_millis(scene.random.u64(200..1500))).await;
        let mut engines = scene.rig.stack.engines();
        engines.nats.daemon().kill();
        engines.nats.restart()?;
    }
    Ok(())
}

/// Stops the broker with SIGSTOP: an upload must be accepted meanwhile.
pub(super) async fn freeze(scene: &mut Scene<'_>) -> Result<()> {
    let pid = scene.rig.stack.engines().nats.pid();
    send_signal(pid, libc::SIGSTOP);
    // An upload needs MongoDB and the bucket, not the broker.
    let uploaded = scene.load.upload(scene.rig, 0).await;
    sleep(scene.time * 2).await;
    send_signal(pid, libc::SIGCONT);
    ensure!(
        uploaded.is_some(),
        "an upload was refused while the broker was frozen"
    );
    Ok(())
}

/// Deletes the broker's store, then the task stream, then consumers. The API must create them again.
pub(super) async fn wipe(scene: &mut Scene<'_>) -> Result<()> {
    let stack = &scene.rig.stack;
    {
        let mut engines = stack.engines();
        engines.nats.daemon().kill();
        std::fs::remove_dir_all(stack.dir.join("nats/jetstream"))?;
        engines.nats.restart()?;
    }
    sleep(scene.time / 3).await;
    // An operator may delete a stream by mistake; VidP itself never does.
    let request = async |subject: String| stack.queue.client().request(subject, "{}".into()).await;
    request(format!("$JS.API.STREAM.DELETE.{}", streams::TASKS)).await?;
    sleep(scene.time / 3).await;
    for consumer in ["scale-interactive", "detect-interactive"] {
        request(format!("$JS.API.CONSUMER.DELETE.{}.{consumer}", streams::TASKS)).await?;
    }
    request(format!(
        "$JS.API.CONSUMER.DELETE.{}.{}",
        streams::RESULTS,
        streams::API_CONSUMER
    ))
    .await?;
    sleep(scene.time / 3).await;
    Ok(())
}
