//! Random orders of messages, crashes and requests, applied to the state machine.
//!
//! The model has a broker, workers and a sweeper in memory. A failure is shrunk to the shortest order
//! that still shows it, and its seed is stored in `proptest-regressions/`.

mod attempt;
mod events;
mod invariants;
mod sweeper;
mod worker;
mod world;

use events::{event, stages};
use proptest::prelude::*;
use world::World;

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_loses_a_job_or_changes_its_end(
        stages in stages(),
        events in prop::collection::vec(event(), 0..40),
    ) {
        let mut world = World::new(stages);
        for event in events {
            world.apply(event);
        }
        world.settle_down();
    }
}
