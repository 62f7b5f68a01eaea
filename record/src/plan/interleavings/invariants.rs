//! Invariants of the state machine.

use super::world::World;
use crate::job::StageStatus;
use vidp_contract::Outcome;

impl World {
    /// Checks the invariants that hold after every event.
    pub(super) fn check(&mut self) {
        let job = &self.job;
        for (stage, state) in &job.stages {
            let with_queue = state.dispatch.is_some();
            assert_eq!(with_queue, state.status.is_dispatched(), "{stage} {state:?}");
            // The outputs of a stage are those of the winning manifest.
            let outcome = self.manifests.get(stage).map(|won| &won.outcome);
            match (state.status, outcome) {
                (StageStatus::Succeeded, Some(Outcome::Succeeded(won))) => {
                    assert_eq!(state.outputs, won.outputs);
                }
                (StageStatus::Succeeded, other) => panic!("{stage} succeeded with {other:?}"),
                // A task from before a retry has no effect.
                (StageStatus::Failed, _) => assert!(self.failures.contains(&state.task_id), "{stage}"),
                _ => assert!(state.outputs.is_empty(), "{stage} {state:?}"),
            }
        }
        assert_eq!(job.status.is_terminal(), job.expires_at.is_some());
        let end = (
            job.status,
            job.stages.values().map(|state| state.status).collect(),
        );
        match &self.ended {
            Some(ended) => assert_eq!(*ended, end, "an ended job changed"),
            None if job.status.is_terminal() => {
                assert!(end.1.iter().all(|status| status.is_terminal()));
                self.ended = Some(end);
            }
            None => {}
        }
    }
}
