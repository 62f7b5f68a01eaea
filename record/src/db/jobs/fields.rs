//! Names and conditions in queries and indexes.

use crate::tenant::LOCAL_TENANT;
use mongodb::bson::{Bson, Document, doc};
use vidp_contract::Stage;

/// The collection's name.
pub(in crate::db) const NAME: &str = "jobs";

/// What `tenant` is in this tenant's documents; those of earlier releases have none.
pub(super) fn of(tenant: &str) -> Bson {
    match tenant {
        LOCAL_TENANT => doc! { "$in": [tenant, null] }.into(),
        _ => tenant.into(),
    }
}

pub(super) fn next_at(stage: Stage) -> String {
    format!("stages.{stage}.dispatch.next_at")
}

pub(super) fn queued_at(stage: Stage) -> String {
    format!("stages.{stage}.queued_at")
}

pub(super) fn is_queued(stage: Stage) -> Document {
    doc! { format!("stages.{stage}.status"): "queued" }
}
