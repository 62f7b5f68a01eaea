//! The collection `deliveries`.

use super::client::{DUPLICATE_KEY, Db, DbError};
use crate::webhook::{Attempt, Delivery, DeliveryState, Webhook};
use futures_util::TryStreamExt;
use mongodb::{
    Collection, IndexModel,
    bson::{self, DateTime, Document, doc},
    error::{Error, ErrorKind, InsertManyError},
    options::IndexOptions,
};
use std::time::Duration;
use uuid::Uuid;

/// The collection's name.
pub(super) const NAME: &str = "deliveries";

/// Tries kept in a delivery's log.
const KEPT: i32 = 50;

/// What becomes of a delivery after a try.
pub enum Next {
    /// Another try, then.
    Retry(DateTime),
    /// No more; dropped from the log then.
    End(DeliveryState, DateTime),
}

impl Db {
    /// Stores deliveries; those that are there already stay as they are.
    pub async fn insert_deliveries(&self, deliveries: Vec<Delivery>) -> Result<(), DbError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let collection = self.deliveries();
        let insert = async move { collection.insert_many(deliveries).ordered(false).await.map(drop) };
        match self.run(insert).await {
            Err(DbError::Driver(error)) if only_duplicates(&error) => Ok(()),
            done => done,
        }
    }

    /// Deliveries whose time has come, but for those to `busy` webhooks.
    pub async fn deliveries_due(&self, busy: Vec<String>, limit: i64) -> Result<Vec<Delivery>, DbError> {
        let query = doc! { "next_at": { "$lte": DateTime::now() }, "webhook_id": { "$nin": busy } };
        self.find_deliveries(query, doc! { "next_at": 1 }, limit).await
    }

    /// Takes a delivery for one try; nobody else does until `until`. None when somebody was faster.
    pub async fn claim_delivery(
        &self,
        delivery: &Delivery,
        until: DateTime,
    ) -> Result<Option<Delivery>, DbError> {
        let deliveries = self.deliveries();
        let as_it_was = doc! { "_id": delivery.id.to_string(), "next_at": delivery.next_at };
        let claim = doc! { "$set": { "next_at": until }, "$inc": { "attempt": 1 } };
        self.run(async move {
            let claimed = deliveries.find_one_and_update(as_it_was, claim);
            claimed
                .return_document(mongodb::options::ReturnDocument::After)
                .await
        })
        .await
    }

    /// Writes a try into the log, and what follows from it; unless another try has begun meanwhile.
    pub async fn delivery_tried(
        &self,
        delivery: &Delivery,
        tried: &Attempt,
        next: Next,
    ) -> Result<(), DbError> {
        let deliveries = self.deliveries();
        let this_try =
            doc! { "_id": delivery.id.to_string(), "attempt": delivery.attempt, "state": "pending" };
        let tried = bson::serialize_to_bson(tried).map_err(Error::custom)?;
        let mut change = doc! { "$push": { "attempts": { "$each": [tried], "$slice": -KEPT } } };
        match next {
            Next::Retry(at) => change.insert("$set", doc! { "next_at": at }),
            Next::End(state, expires_at) => {
                change.insert("$unset", doc! { "next_at": "" });
                change.insert("$set", doc! { "state": state.as_str(), "expires_at": expires_at })
            }
        };
        self.run(async move { deliveries.update_one(this_try, change).await.map(drop) })
            .await
    }

    /// Sends a delivery again from the start, whatever has become of it.
    pub async fn replay_delivery(&self, webhook: &Webhook, id: Uuid) -> Result<Delivery, DbError> {
        let deliveries = self.deliveries();
        let query = doc! { "_id": id.to_string(), "webhook_id": webhook.id.to_string() };
        let again = doc! {
            "$set": { "state": "pending", "next_at": DateTime::now(), "attempt": 0 },
            "$unset": { "expires_at": "" },
        };
        let found = self.run(async move {
            let replayed = deliveries.find_one_and_update(query, again);
            replayed
                .return_document(mongodb::options::ReturnDocument::After)
                .await
        });
        found.await?.ok_or(DbError::NotFound)
    }

    /// A webhook's deliveries, newest first.
    pub async fn deliveries_of(
        &self,
        webhook: &Webhook,
        state: Option<DeliveryState>,
        behind: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Delivery>, DbError> {
        let mut query = doc! { "webhook_id": webhook.id.to_string() };
        query.extend(state.map(|state| ("state".to_owned(), state.as_str().into())));
        query.extend(behind.map(|id| ("_id".to_owned(), doc! { "$lt": id.to_string() }.into())));
        self.find_deliveries(query, doc! { "_id": -1 }, limit).await
    }

    /// Something has arrived at this webhook since then.
    pub async fn has_delivered_since(&self, webhook: Uuid, since: DateTime) -> Result<bool, DbError> {
        let query = doc! { "webhook_id": webhook.to_string(), "state": "delivered", "attempts.at": { "$gte": since } };
        Ok(!self.find_deliveries(query, doc! {}, 1).await?.is_empty())
    }

    async fn find_deliveries(
        &self,
        query: Document,
        sort: Document,
        limit: i64,
    ) -> Result<Vec<Delivery>, DbError> {
        let deliveries = self.deliveries();
        let find = async move {
            deliveries
                .find(query)
                .sort(sort)
                .limit(limit)
                .await?
                .try_collect()
                .await
        };
        self.run(find).await
    }

    pub(super) fn deliveries(&self) -> Collection<Delivery> {
        self.collection(NAME)
    }
}

/// The indexes of the queries above.
pub(super) fn indexes() -> Vec<IndexModel> {
    let plain = |keys| IndexModel::builder().keys(keys).build();
    // A job's end is told once to each webhook, however often that is tried.
    let unique = IndexModel::builder()
        .keys(doc! { "webhook_id": 1, "message_id": 1 })
        .options(IndexOptions::builder().unique(true).build())
        .build();
    // The log; what still is to be sent has no such time.
    let expiry = IndexModel::builder()
        .keys(doc! { "expires_at": 1 })
        .options(IndexOptions::builder().expire_after(Duration::ZERO).build())
        .build();
    vec![
        unique,
        expiry,
        plain(doc! { "next_at": 1 }),
        plain(doc! { "webhook_id": 1, "_id": -1 }),
    ]
}

fn only_duplicates(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::InsertMany(InsertManyError {
            write_errors: Some(errors),
            write_concern_error: None,
            ..
        }) => errors.iter().all(|error| error.code == DUPLICATE_KEY),
        _ => false,
    }
}
