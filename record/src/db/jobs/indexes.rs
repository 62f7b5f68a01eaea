//! Indexes of the collection `jobs`.

use super::fields::{is_queued, next_at, queued_at};
use mongodb::{IndexModel, bson::doc, options::IndexOptions};
use vidp_contract::Stage;

/// Returns the indexes that the queries need.
pub(crate) fn indexes() -> Vec<IndexModel> {
    let mut keys = vec![
        doc! { "tenant": 1, "_id": -1 },
        doc! { "tenant": 1, "status": 1, "_id": -1 },
        doc! { "tenant": 1, "external_id": 1, "_id": -1 },
        doc! { "tenant": 1, "batch_id": 1, "_id": -1 },
        doc! { "status": 1, "_id": -1 },
        doc! { "expires_at": 1 },
        doc! { "tidy_at": 1 },
        doc! { "announcement.next_at": 1 },
    ];
    keys.extend(Stage::ALL.map(|stage| doc! { next_at(stage): 1 }));
    let mut models: Vec<_> = keys
        .into_iter()
        .map(|keys| IndexModel::builder().keys(keys).build())
        .collect();
    // These contain queued stages only, so they stay small.
    models.extend(Stage::ALL.map(|stage| {
        let queued = IndexOptions::builder().partial_filter_expression(is_queued(stage));
        IndexModel::builder()
            .keys(doc! { queued_at(stage): 1 })
            .options(queued.build())
            .build()
    }));
    let direct = IndexOptions::builder().partial_filter_expression(doc! { "direct": { "$exists": true } });
    models.push(
        IndexModel::builder()
            .keys(doc! { "direct.expires_at": 1 })
            .options(direct.build())
            .build(),
    );
    let to_fetch = IndexOptions::builder().partial_filter_expression(doc! { "fetch": { "$exists": true } });
    models.push(
        IndexModel::builder()
            .keys(doc! { "lane": -1, "fetch.next_at": 1 })
            .options(to_fetch.build())
            .build(),
    );
    // Decides between two concurrent requests with the same key.
    let keyed = IndexOptions::builder()
        .unique(true)
        .partial_filter_expression(doc! { "idempotency_key": { "$type": "string" } });
    models.push(
        IndexModel::builder()
            .keys(doc! { "tenant": 1, "idempotency_key": 1 })
            .options(keyed.build())
            .build(),
    );
    models
}
