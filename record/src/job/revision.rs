//! Revisions of a job, and those that are visible to clients.

use super::{
    document::Job,
    event::{EventKind, LastEvent},
    stage::StageState,
};
use mongodb::bson::DateTime;

impl Job {
    /// Increments the revision, renews the fields for queries, and sets [`Job::event`] when the change is visible to clients.
    pub fn revise(&mut self, before: &Job, now: DateTime) {
        self.rev = before.rev + 1;
        self.updated_at = now;
        self.derive();
        if let Some(kind) = self.visible_change(before) {
            self.event = LastEvent {
                rev: self.rev,
                kind,
                playable: kind == EventKind::Progress
                    && self.growing_stream().is_some()
                    && before.growing_stream().is_none(),
            };
        }
    }

    fn visible_change(&self, before: &Job) -> Option<EventKind> {
        let statuses = |job: &Job| {
            (
                job.status,
                job.stages.values().map(|stage| stage.status).collect::<Vec<_>>(),
            )
        };
        let shares = |job: &Job| {
            let share = |stage: &StageState| {
                let done = (stage.progress, stage.phase.clone(), stage.speed, stage.parts);
                (stage.attempt, done, stage.stream.is_some())
            };
            job.stages.values().map(share).collect::<Vec<_>>()
        };
        let others = |job: &Job| (job.metadata.clone(), job.options.clone(), job.expires_at);
        if self.deleted_at != before.deleted_at {
            Some(EventKind::Deleted)
        } else if statuses(self) != statuses(before) {
            Some(EventKind::Status)
        } else if shares(self) != shares(before) {
            Some(EventKind::Progress)
        } else if others(self) != others(before) {
            Some(EventKind::Updated)
        } else {
            None
        }
    }
}
