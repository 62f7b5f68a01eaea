//! Field names and conditions that queries and indexes share.

use crate::tenant::LOCAL_TENANT;
use mongodb::bson::{Bson, Document, doc};
use vidp_contract::Stage;

/// The collection's name.
pub(crate) const NAME: &str = "jobs";

/// Returns the condition on `tenant`. Documents of earlier releases have no tenant and belong to the local one.
pub(super) fn owned_by(tenant: &str) -> Bson {
    match tenant {
        LOCAL_TENANT => doc! { "$in": [tenant, null] }.into(),
        _ => tenant.into(),
    }
}

/// Field with the time from which the sweeper may claim the stage.
pub(super) fn next_at(stage: Stage) -> String {
    format!("stages.{stage}.dispatch.next_at")
}

/// Field with the time at which the stage became due.
pub(super) fn queued_at(stage: Stage) -> String {
    format!("stages.{stage}.queued_at")
}

/// Condition for jobs whose stage is queued.
pub(super) fn is_queued(stage: Stage) -> Document {
    doc! { format!("stages.{stage}.status"): "queued" }
}
