//! Faults of the connections between services and engines.

use super::fault::Scene;
use crate::{proxy::Wire, stack::Link};
use anyhow::Result;
use std::time::Duration;
use tokio::time::sleep;

/// Disturbs each link in each way, in random order.
pub(super) async fn cuts(scene: &mut Scene<'_>) -> Result<()> {
    let wires = [
        Wire::Refused,
        Wire::Reset,
        Wire::Silent,
        Wire::Slow(40_000),
        Wire::CutAfter(3000),
    ];
    let mut all: Vec<_> = Link::ALL
        .into_iter()
        .flat_map(|link| wires.map(|wire| (link, wire)))
        .collect();
    scene.random.shuffle(&mut all);
    let each = (scene.time / all.len() as u32).max(Duration::from_millis(400));
    for (link, wire) in all {
        scene.rig.stack.wire(link, wire);
        sleep(each).await;
        scene.rig.stack.wire(link, Wire::Open);
    }
    Ok(())
}

/// Disturbs the object store's answers on both of its links.
pub(super) async fn s3_errors(scene: &mut Scene<'_>) -> Result<()> {
    for wire in [Wire::Unavailable, Wire::Flipped, Wire::CompletionLost] {
        for link in [Link::ApiS3, Link::WorkerS3] {
            scene.rig.stack.wire(link, wire);
            sleep(scene.time / 6).await;
            scene.rig.stack.wire(link, Wire::Open);
        }
    }
    Ok(())
}
