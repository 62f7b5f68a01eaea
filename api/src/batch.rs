//! Many jobs made by one request: what the record knows of them together. The jobs themselves say the rest.

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// MongoDB, collection `batches`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// UUIDv7; the `batch_id` of its jobs.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    pub tenant: String,
    /// For people.
    pub name: Option<String>,
    pub created_at: DateTime,
    /// Items that were read so far.
    pub total: u32,
    /// Of them, those that made no job.
    pub rejected: u32,
    /// Why the first ones of those did not.
    pub errors: Vec<ItemError>,
    /// All items have been read. One whose client went away in the middle stays as it is.
    pub complete: bool,
    /// What is being done to all of its jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The jobs are gone by then; so is this.
    pub expires_at: DateTime,
}

/// Why an item made no job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemError {
    /// Its place, from 0.
    #[schema(minimum = 0)]
    pub index: u32,
    /// The code of a problem.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

/// Something that is done to the jobs of a batch, one after the other: kept until it is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Action {
    pub kind: ActionKind,
    /// When it was asked for: jobs that changed later are left alone.
    pub at: DateTime,
    /// Somebody goes on with it then, if it is not done.
    pub next_at: DateTime,
}

/// What.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// All that have not ended are cancelled.
    Cancel,
    /// Failed, partial and cancelled ones are tried again.
    Retry,
}
