//! The document of a message.

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A message about a job's end or the beginning of its stream, stored once for all webhooks. MongoDB, collection `messages`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The header `webhook-id`; the deliveries of the message have it too. Ids sort by time.
    #[serde(rename = "_id")]
    pub id: String,
    /// Owner of the webhooks and of the job.
    pub tenant: String,
    /// Body of the requests, byte for byte.
    pub body: String,
    /// Time of creation.
    pub created_at: DateTime,
    /// Time at which MongoDB deletes this document; postponed by every try.
    pub expires_at: DateTime,
}

impl Message {
    /// Retention after the latest try. Longer than that of an ended delivery, so that each delivery finds its message.
    pub const RETENTION: Duration = Duration::from_secs(35 * 24 * 3600);
}
