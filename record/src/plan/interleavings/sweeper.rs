//! The sweeper of the model.

use super::world::World;
use crate::{
    job::DispatchState,
    plan::{claim_stage, finished, lost, tests::TIMES},
};
use vidp_contract::TaskResult;

impl World {
    /// Like `sweeper::reconcile_stage`, for every due stage.
    pub(super) fn sweep(&mut self, minutes: i64) {
        self.now += minutes * 60_000;
        for stage in self.job.stages.keys().copied().collect::<Vec<_>>() {
            let now = self.time();
            match claim_stage(&mut self.job, stage, TIMES, now) {
                None => continue,
                Some(DispatchState::Pending) => {
                    let id = self.job.stages[&stage].task_id;
                    // The publishing process has died, or its claim has expired.
                    self.publishing.remove(&(stage, id));
                    self.republishing.insert(id);
                    self.publish_task(stage, id, true);
                    continue;
                }
                Some(DispatchState::Sent) => {}
            }
            let id = self.job.stages[&stage].task_id;
            let stored = self.results.iter().rev().find(|result| result.task_id == id);
            let known = match stored {
                Some(result) => Some(result.clone()),
                None if self.tasks.contains_key(&(stage, id)) => continue,
                None => self.manifests.get(&stage).cloned(),
            };
            match known {
                Some(result) => {
                    let result = TaskResult {
                        task_id: id,
                        ..result
                    };
                    self.change(|job| finished(job, &result, TIMES, now));
                }
                None => {
                    self.republishing.insert(id);
                    self.change(|job| lost(job, stage, id, now));
                }
            }
        }
    }
}
