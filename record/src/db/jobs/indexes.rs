//! Indexes of the collection `jobs`.

use super::{
    due::Origin,
    fields::{is_queued, next_at, queued_at},
};
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
    // MongoDB uses a partial index only if the query contains the index's condition.
    let expiring = IndexOptions::builder()
        .name("uploads_due".to_owned())
        .partial_filter_expression(doc! { "direct.expires_at": { "$exists": true } });
    models.push(
        IndexModel::builder()
            .keys(doc! { "direct.expires_at": 1 })
            .options(expiring.build())
            .build(),
    );
    models.extend(Origin::ALL.map(|origin| {
        let due = doc! { "fetch.next_at": { "$exists": true }, "source.reference": origin.condition() };
        let options = IndexOptions::builder().name(origin.index().to_owned());
        IndexModel::builder()
            .keys(doc! { "tenant": 1, "lane": -1, "fetch.next_at": 1 })
            .options(options.partial_filter_expression(due).build())
            .build()
    }));
    // Contains the jobs that hold bytes; the sum for a quota needs no document.
    let holding = IndexOptions::builder().partial_filter_expression(doc! { "held": { "$gt": 0_i64 } });
    models.push(
        IndexModel::builder()
            .keys(doc! { "tenant": 1, "held": 1 })
            .options(holding.build())
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
