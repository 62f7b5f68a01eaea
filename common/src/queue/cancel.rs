use uuid::Uuid;
use vidp_contract::Task;

/// A request to stop work: the message `vidp.cancel.<job_id>` with a JSON list of task ids.
///
/// It names the tasks because it may arrive late: it must not cancel the task of a retry.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// The job.
    pub job_id: Uuid,
    /// The tasks to stop; an empty list means all tasks of the job.
    pub tasks: Vec<Uuid>,
}

impl Cancel {
    /// Parses a message. A message without a list means all tasks of the job.
    pub fn read(message: &async_nats::Message) -> Option<Cancel> {
        let job_id = message.subject.rsplit('.').next()?.parse().ok()?;
        let tasks = serde_json::from_slice(&message.payload).unwrap_or_default();
        Some(Cancel { job_id, tasks })
    }

    /// True when this cancellation includes `task`.
    pub fn means(&self, task: &Task) -> bool {
        self.job_id == task.job_id && (self.tasks.is_empty() || self.tasks.contains(&task.task_id))
    }
}
