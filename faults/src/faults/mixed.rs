//! One random fault after the other, under one load that never stops.

use super::{ALL, Done, Scene, Skipped};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Interval between two faults, and the duration of each.
const EACH: Duration = Duration::from_secs(6);
const TIME: Duration = Duration::from_secs(3);
/// Faults between two lines that say how it goes.
const REPORT: u32 = 30;

/// Boxed here, because it is one of those that it chooses from.
pub(super) fn random<'a>(scene: &'a mut Scene<'_>) -> Done<'a> {
    Box::pin(mix(scene))
}

async fn mix(scene: &mut Scene<'_>) -> Result<()> {
    let kinds: Vec<_> = ALL.iter().filter(|fault| fault.mixes).collect();
    let (started, mut failed) = (Instant::now(), Vec::new());
    while started.elapsed() < scene.time {
        let begun = Instant::now();
        let fault = kinds[scene.random.usize(0..kinds.len())];
        let mut one = Scene {
            random: scene.random.fork(),
            time: TIME,
            count: 1,
            ..*scene
        };
        match (fault.run)(&mut one).await {
            Err(error) if error.is::<Skipped>() => continue,
            Err(error) => failed.push(format!("{}: {error:#}", fault.name)),
            Ok(()) => {}
        }
        scene.rig.stack.mend();
        scene.count += 1;
        sleep(EACH.saturating_sub(begun.elapsed())).await;
        if scene.count.is_multiple_of(REPORT) {
            let (accepted, open) = (scene.load.accepted().len(), scene.load.open(scene.rig));
            println!("{} faults, {accepted} jobs accepted, {open} open", scene.count);
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}
