//! The collections `webhooks` and `deliveries`.

use super::client::{DUPLICATE_KEY, Db, DbError};
use crate::webhook::{Attempt, Delivery, DeliveryState, EventType, Webhook};
use futures_util::TryStreamExt;
use mongodb::{
    Collection, IndexModel,
    bson::{self, DateTime, Document, doc},
    error::{Error, ErrorKind, InsertManyError},
    options::IndexOptions,
};
use std::time::Duration;
use uuid::Uuid;

/// The collections' names.
pub(super) const WEBHOOKS: &str = "webhooks";
pub(super) const DELIVERIES: &str = "deliveries";

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
    /// Stores a new webhook.
    pub async fn insert_webhook(&self, webhook: &Webhook) -> Result<(), DbError> {
        let (webhooks, webhook) = (self.webhooks(), webhook.clone());
        self.run(async move { webhooks.insert_one(webhook).await.map(drop) })
            .await
    }

    /// A client's webhook.
    pub async fn webhook(&self, tenant: &str, id: Uuid) -> Result<Webhook, DbError> {
        let webhooks = self.webhooks();
        let query = doc! { "_id": id.to_string(), "tenant": tenant };
        let found = self.run(async move { webhooks.find_one(query).await }).await?;
        found.ok_or(DbError::NotFound)
    }

    /// A client's webhooks, oldest first.
    pub async fn webhooks_of(&self, tenant: &str) -> Result<Vec<Webhook>, DbError> {
        self.find_webhooks(doc! { "tenant": tenant }).await
    }

    /// Those who want to be told.
    pub async fn webhooks_for(&self, tenant: &str, event: EventType) -> Result<Vec<Webhook>, DbError> {
        let found = self
            .find_webhooks(doc! { "tenant": tenant, "enabled": true })
            .await?;
        let wanted =
            |webhook: &Webhook| webhook.event_types.is_empty() || webhook.event_types.contains(&event);
        Ok(found.into_iter().filter(wanted).collect())
    }

    async fn find_webhooks(&self, query: Document) -> Result<Vec<Webhook>, DbError> {
        let webhooks = self.webhooks();
        let find = async move {
            webhooks
                .find(query)
                .sort(doc! { "_id": 1 })
                .await?
                .try_collect()
                .await
        };
        self.run(find).await
    }

    /// Reads a webhook, changes it and stores it if nobody else has meanwhile; begins again when somebody has.
    pub async fn update_webhook(
        &self,
        tenant: &str,
        id: Uuid,
        mut change: impl FnMut(&mut Webhook),
    ) -> Result<Webhook, DbError> {
        loop {
            let mut webhook = self.webhook(tenant, id).await?;
            let before = doc! { "_id": id.to_string(), "rev": webhook.rev };
            change(&mut webhook);
            webhook.rev += 1;
            webhook.updated_at = DateTime::now();
            let (webhooks, new) = (self.webhooks(), webhook.clone());
            let replaced = self
                .run(async move { webhooks.replace_one(before, new).await })
                .await?;
            if replaced.matched_count == 1 {
                return Ok(webhook);
            }
        }
    }

    /// Removes a webhook with its deliveries. False when there is none.
    pub async fn remove_webhook(&self, tenant: &str, id: Uuid) -> Result<bool, DbError> {
        let (webhooks, deliveries) = (self.webhooks(), self.deliveries());
        let query = doc! { "_id": id.to_string(), "tenant": tenant };
        let of_it = doc! { "webhook_id": id.to_string() };
        self.run(async move {
            let removed = webhooks.delete_one(query).await?.deleted_count == 1;
            deliveries.delete_many(of_it).await?;
            Ok(removed)
        })
        .await
    }

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

    fn webhooks(&self) -> Collection<Webhook> {
        self.collection(WEBHOOKS)
    }

    fn deliveries(&self) -> Collection<Delivery> {
        self.collection(DELIVERIES)
    }
}

/// The indexes of the queries above, of each collection.
pub(super) fn indexes() -> [(&'static str, Vec<IndexModel>); 2] {
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
    [
        (WEBHOOKS, vec![plain(doc! { "tenant": 1, "_id": 1 })]),
        (
            DELIVERIES,
            vec![
                unique,
                expiry,
                plain(doc! { "next_at": 1 }),
                plain(doc! { "webhook_id": 1, "_id": -1 }),
            ],
        ),
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
