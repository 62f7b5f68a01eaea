//! Parts of a stream that viewers play while the film is made.

use super::attempt::Attempt;
use anyhow::Context;
use vidp_common::store::{PutIfAbsent, StoreError};
use vidp_contract::{StreamPart, StreamProgress, keys};

impl Attempt {
    /// The part of a stream with this number, if a delivery of the task has published it.
    ///
    /// # Errors
    /// The store failed, or what it has is no part of a stream.
    pub async fn published(&self, plan: &str, number: u32) -> anyhow::Result<Option<StreamPart>> {
        let text = match self
            .store
            .read_at_most(&self.index(plan, number), StreamPart::MAX_BYTES)
            .await
        {
            // AWS S3 denies access to a missing object, because a worker may not list.
            Ok(None) | Err(StoreError::Denied { .. }) => return Ok(None),
            read => read?.unwrap_or_default(),
        };
        self.checked(&text).map(Some)
    }

    /// Publishes the part of a stream with this number, behind those before it. Returns the published part: another delivery may have been
    /// first, and a published part does not change.
    ///
    /// # Errors
    /// The store failed, or no viewer could play the part.
    pub async fn publish(&self, plan: &str, number: u32, part: StreamPart) -> anyhow::Result<StreamPart> {
        let text = serde_json::to_vec(&part)?;
        self.checked(&text)?;
        match self.store.put_if_absent(&self.index(plan, number), text).await? {
            PutIfAbsent::Created => Ok(part),
            PutIfAbsent::Exists => {
                let first = self.published(plan, number).await?;
                first.context("the published part cannot be read")
            }
        }
    }

    /// Reads an index as the API does.
    fn checked(&self, text: &[u8]) -> anyhow::Result<StreamPart> {
        let folder = keys::task_folder(&self.task.output_prefix, self.task.task_id);
        StreamPart::read(text, &folder).map_err(anyhow::Error::msg)
    }

    fn index(&self, plan: &str, number: u32) -> String {
        keys::stream_part(&self.task.output_prefix, self.task.task_id, plan, number)
    }

    /// True when this attempt has published parts of another plan.
    pub fn has_other_stream(&self, plan: &str) -> bool {
        let progress = self.progress.borrow();
        progress.stream.as_ref().is_some_and(|stream| stream.plan != plan)
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
