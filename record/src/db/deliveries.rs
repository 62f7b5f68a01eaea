//! The collection `deliveries`.

use super::{
    client::{Db, DbError},
    turns::turns,
};
use crate::webhook::{Attempt, Delivery, DeliveryState, Webhook};
use async_recursion::async_recursion as boxed;
use mongodb::{
    Collection, IndexModel,
    bson::{self, Bson, DateTime, Document, doc},
    options::IndexOptions,
};
use std::time::Duration;
use uuid::Uuid;

/// The collection's name.
pub(super) const NAME: &str = "deliveries";

/// Tries stored in a delivery's log.
const MAX_LOGGED_TRIES: i32 = 50;

/// Receivers that get no further delivery now.
pub struct Busy {
    /// Names of tenants.
    pub tenants: Vec<String>,
    /// Ids of webhooks.
    pub webhooks: Vec<String>,
}

/// The state of a delivery after a try.
pub enum Next {
    /// Try again at this time.
    Retry(DateTime),
    /// Ended in this state; deleted from the log at this time.
    End(DeliveryState, DateTime),
}

impl Db {
    /// Stores new deliveries. Existing ones are left unchanged.
    #[boxed]
    pub async fn insert_deliveries(&self, deliveries: Vec<Delivery>) -> Result<(), DbError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let collection = self.deliveries();
        let insert = async move { collection.insert_many(deliveries).ordered(false).await.map(drop) };
        match self.run(insert).await.map_err(DbError::or_duplicate) {
            Err(DbError::Duplicate) => Ok(()),
            stored => stored,
        }
    }

    /// Returns the next due delivery: the earliest of the tenant that follows `last` by name, so that tenants take turns.
    /// Tenants and webhooks in `busy` are skipped.
    #[boxed]
    pub async fn next_delivery(&self, last: &str, busy: Busy) -> Result<Option<Delivery>, DbError> {
        let order = doc! { "tenant": 1, "next_at": 1 };
        let tenants = busy.tenants.into_iter().map(Bson::from).collect();
        for tenant in turns(last, tenants) {
            let due = doc! {
                "tenant": tenant,
                "next_at": { "$lte": DateTime::now() },
                "webhook_id": { "$nin": busy.webhooks.clone() },
            };
            let found = self.find_deliveries(due, order.clone(), 1).await?;
            if let Some(delivery) = found.into_iter().next() {
                return Ok(Some(delivery));
            }
        }
        Ok(None)
    }

    /// Claims a delivery for one try until `until`, and adds its body. Returns `None` when another replica was first.
    #[boxed]
    pub async fn claim_delivery(
        &self,
        delivery: &Delivery,
        until: DateTime,
    ) -> Result<Option<Delivery>, DbError> {
        let deliveries = self.deliveries();
        let unclaimed = doc! { "_id": delivery.id.to_string(), "next_at": delivery.next_at };
        let claim = doc! { "$set": { "next_at": until }, "$inc": { "attempt": 1 } };
        let claimed = self.run(async move {
            let claimed = deliveries.find_one_and_update(unclaimed, claim);
            claimed
                .return_document(mongodb::options::ReturnDocument::After)
                .await
        });
        let claimed = Vec::from_iter(claimed.await?);
        Ok(self.with_bodies(claimed).await?.pop())
    }

    /// Records a try and its consequence. Does nothing when another try has begun in the meantime.
    #[boxed]
    pub async fn delivery_tried(
        &self,
        delivery: &Delivery,
        tried: &Attempt,
        next: Next,
    ) -> Result<(), DbError> {
        let deliveries = self.deliveries();
        let this_try =
            doc! { "_id": delivery.id.to_string(), "attempt": delivery.attempt, "state": "pending" };
        let tried = bson::serialize_to_bson(tried).map_err(mongodb::error::Error::custom)?;
        let mut change = doc! { "$push": { "attempts": { "$each": [tried], "$slice": -MAX_LOGGED_TRIES } } };
        let time = match next {
            Next::Retry(at) => at,
            Next::End(..) => DateTime::now(),
        };
        self.keep_message(&delivery.message_id, time).await?;
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

    /// Schedules a delivery again with a complete set of tries, in any state.
    #[boxed]
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
        let found = found.await?.ok_or(DbError::NotFound)?;
        self.keep_message(&found.message_id, DateTime::now()).await?;
        let mut found = self.with_bodies(vec![found]).await?;
        found.pop().ok_or(DbError::NotFound)
    }

    /// Returns a webhook's deliveries with their bodies, newest first.
    #[boxed]
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
        let found = self.find_deliveries(query, doc! { "_id": -1 }, limit).await?;
        self.with_bodies(found).await
    }

    /// Returns true when a delivery to this webhook succeeded after `since`.
    #[boxed]
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
        self.find_all(self.deliveries(), query, sort, limit).await
    }

    pub(super) fn deliveries(&self) -> Collection<Delivery> {
        self.collection(NAME)
    }
}

/// The indexes of the queries above.
pub(super) fn indexes() -> Vec<IndexModel> {
    let plain = |keys| IndexModel::builder().keys(keys).build();
    // Repeated announcements of a job's end create one delivery for each webhook.
    let unique = IndexModel::builder()
        .keys(doc! { "webhook_id": 1, "message_id": 1 })
        .options(IndexOptions::builder().unique(true).build())
        .build();
    // Deletes ended deliveries; pending ones have no `expires_at`.
    let expiry = IndexModel::builder()
        .keys(doc! { "expires_at": 1 })
        .options(IndexOptions::builder().expire_after(Duration::ZERO).build())
        .build();
    // Due and scheduled deliveries only: ended ones have no `next_at`.
    let due = IndexModel::builder()
        .keys(doc! { "tenant": 1, "next_at": 1, "webhook_id": 1 })
        .options(
            IndexOptions::builder()
                .partial_filter_expression(doc! { "next_at": { "$exists": true } })
                .build(),
        )
        .build();
    vec![
        unique,
        expiry,
        due,
        plain(doc! { "webhook_id": 1, "_id": -1 }),
        plain(doc! { "tenant": 1, "message_id": 1, "state": 1 }),
    ]
}
