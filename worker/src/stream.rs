//! Parts of a stream that viewers play while the film is made.

use super::attempt::Attempt;
use vidp_common::store::StoreError;
use vidp_contract::{StreamPart, StreamProgress, keys};

impl Attempt {
    /// The part of a stream with this number, if a delivery of the task has published it.
    ///
    /// # Errors
    /// The store failed, or what it has is no part of a stream.
    pub async fn published(&self, plan: &str, number: u32) -> anyhow::Result<Option<StreamPart>> {
        let key = keys::stream_part(&self.task.output_prefix, self.task.task_id, plan, number);
        let text = match self.store.read_at_most(&key, StreamPart::MAX_BYTES).await {
            // AWS S3 denies access to a missing object, because a worker may not list.
            Ok(None) | Err(StoreError::Denied { .. }) => return Ok(None),
            read => read?.unwrap_or_default(),
        };
        let folder = keys::task_folder(&self.task.output_prefix, self.task.task_id);
        StreamPart::read(&text, &folder)
            .map(Some)
            .map_err(anyhow::Error::msg)
    }

    /// Publishes the part of a stream with this number, behind those before it. A published part does not change.
    ///
    /// # Errors
    /// The store failed.
    pub async fn publish(&self, plan: &str, number: u32, part: &StreamPart) -> anyhow::Result<()> {
        let key = keys::stream_part(&self.task.output_prefix, self.task.task_id, plan, number);
        self.store.put_if_absent(&key, serde_json::to_vec(part)?).await?;
        Ok(())
    }

    /// True when this attempt has published a part.
    pub fn has_stream(&self) -> bool {
        self.progress.borrow().stream.is_some()
    }

    /// Reports the number of published parts, which viewers may play.
    pub fn progress_of_stream(&self, plan: &str, parts: u32) {
        let stream = Some(StreamProgress {
            plan: plan.to_owned(),
            parts,
        });
        self.progress.send_modify(|progress| progress.stream = stream);
    }
}
