use uuid::Uuid;

/// A request to stop work: the message `vidp.cancel.<job_id>` with a JSON list of task ids.
///
/// It names the tasks because it may arrive late: it must not cancel the task of a retry.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// The job.
    pub job_id: Uuid,
    /// The tasks to stop.
    pub tasks: Vec<Uuid>,
}

impl Cancel {
    /// Parses a message; `None` for one that is no cancellation.
    pub fn read(message: &async_nats::Message) -> Option<Cancel> {
        let job_id = message.subject.rsplit('.').next()?.parse().ok()?;
        let tasks = serde_json::from_slice(&message.payload).ok()?;
        Some(Cancel { job_id, tasks })
    }
}
