use uuid::Uuid;
use vidp_contract::Task;

/// Work that nobody wants any more: `vidp.cancel.<job_id>` with a JSON list of task ids.
///
/// The tasks are named because a cancellation may come late: a retry's task must not be hit by it.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// The job.
    pub job_id: Uuid,
    /// Its tasks; empty means all.
    pub tasks: Vec<Uuid>,
}

impl Cancel {
    /// Reads a message; one without a list means all tasks of the job.
    pub fn read(message: &async_nats::Message) -> Option<Cancel> {
        let job_id = message.subject.rsplit('.').next()?.parse().ok()?;
        let tasks = serde_json::from_slice(&message.payload).unwrap_or_default();
        Some(Cancel { job_id, tasks })
    }

    /// Whether the task is meant.
    pub fn means(&self, task: &Task) -> bool {
        self.job_id == task.job_id && (self.tasks.is_empty() || self.tasks.contains(&task.task_id))
    }
}
