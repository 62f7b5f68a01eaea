//! Random faults one after the other, under one continuous load.

use super::fault::{Done, Scene, Skipped};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Time between the starts of two faults.
const FAULT_INTERVAL: Duration = Duration::from_secs(6);
/// Duration of each fault.
const FAULT_TIME: Duration = Duration::from_secs(3);
/// Number of faults between two progress lines.
const FAULTS_PER_REPORT: u32 = 30;

/// Runs random faults for the scene's time, and reports all that failed.
///
/// The future is boxed, because `mixed` is in the list from which it chooses: the type would contain itself.
pub(super) fn random<'a>(scene: &'a mut Scene<'_>) -> Done<'a> {
    Box::pin(mix(scene))
}

async fn mix(scene: &mut Scene<'_>) -> Result<()> {
    let kinds: Vec<_> = scene.kinds.iter().filter(|fault| fault.mixes).collect();
    let (started, mut failed) = (Instant::now(), Vec::new());
    while started.elapsed() < scene.time {
        let begun = Instant::now();
        let fault = kinds[scene.random.usize(0..kinds.len())];
        let mut one = Scene {
            random: scene.random.fork(),
            time: FAULT_TIME,
            count: 1,
            ..*scene
        };
        match (fault.run)(&mut one).await {
            Err(error) if error.is::<Skipped>() => continue,
            Err(error) => failed.push(format!("{}: {error:#}", fault.name)),
            Ok(()) => {}
        }
        scene.rig.stack.open_all_wires();
        scene.count += 1;
        sleep(FAULT_INTERVAL.saturating_sub(begun.elapsed())).await;
        if scene.count.is_multiple_of(FAULTS_PER_REPORT) {
            let (accepted, open) = (scene.load.accepted().len(), scene.load.open_jobs(scene.rig));
            println!("{} faults, {accepted} jobs accepted, {open} open", scene.count);
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}
