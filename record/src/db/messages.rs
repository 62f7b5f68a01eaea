//! The collection `messages`: the texts that webhooks receive.

use super::client::{Db, DbError};
use crate::{
    time::later,
    webhook::{Delivery, DeliveryState, Message},
};
use async_recursion::async_recursion as boxed;
use mongodb::{
    Collection, IndexModel,
    bson::{DateTime, Document, doc},
    options::IndexOptions,
};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// The collection's name.
pub(super) const NAME: &str = "messages";

/// A message is not written again to postpone its expiry by less than this.
const EXPIRY_PRECISION: Duration = Duration::from_secs(24 * 3600);

/// Most messages that one call of [`Db::trim_messages`] removes, and most ended deliveries that it looks at.
const MAX_TRIMMED: i64 = 1000;

impl Db {
    /// Stores a message. An existing one is left unchanged.
    #[boxed]
    pub async fn insert_message(&self, message: Message) -> Result<(), DbError> {
        let messages = self.messages();
        let stored = self.run(async move { messages.insert_one(message).await.map(drop) });
        match stored.await.map_err(DbError::or_duplicate) {
            Err(DbError::Duplicate) => Ok(()),
            stored => stored,
        }
    }

    /// Postpones the expiry of a message, which is tried at `time`.
    pub(super) async fn keep_message(&self, id: &str, time: DateTime) -> Result<(), DbError> {
        let messages = self.messages();
        let expires_at = later(time, Message::RETENTION);
        let earlier = later(time, Message::RETENTION - EXPIRY_PRECISION);
        let message = doc! { "_id": id, "expires_at": { "$lt": earlier } };
        let keep = doc! { "$set": { "expires_at": expires_at } };
        self.run(async move { messages.update_one(message, keep).await.map(drop) })
            .await
    }

    /// Adds the bodies to deliveries. Those of earlier releases have their own.
    pub(super) async fn with_bodies(&self, mut deliveries: Vec<Delivery>) -> Result<Vec<Delivery>, DbError> {
        let without = deliveries.iter().filter(|delivery| delivery.body.is_none());
        let ids: BTreeSet<_> = without.map(|delivery| delivery.message_id.clone()).collect();
        if ids.is_empty() {
            return Ok(deliveries);
        }
        let query = doc! { "_id": { "$in": Vec::from_iter(ids) } };
        let found = self.find_all(self.messages(), query, doc! {}, 0).await?;
        let bodies: HashMap<_, _> = found
            .into_iter()
            .map(|message| (message.id, message.body))
            .collect();
        for delivery in &mut deliveries {
            let body = delivery.body.take();
            delivery.body = body.or_else(|| bodies.get(&delivery.message_id).cloned());
        }
        Ok(deliveries)
    }

    /// Removes a tenant's oldest messages with their deliveries when it has more than `max`, and returns their number.
    ///
    /// Messages without a pending delivery are removed first.
    #[boxed]
    pub async fn trim_messages(&self, tenant: &str, max: u64) -> Result<usize, DbError> {
        let count = [
            doc! { "$match": { "tenant": tenant } },
            doc! { "$count": "messages" },
        ];
        let counted = self.aggregate(self.messages(), count.into()).await?;
        let stored = counted.first().and_then(|count| count.get_i32("messages").ok());
        let excess = i64::from(stored.unwrap_or(0)).saturating_sub_unsigned(max);
        if excess <= 0 {
            return Ok(0);
        }
        // A twentieth more, so that a tenant at its limit is not trimmed at each message.
        let excess = excess.saturating_add_unsigned(max / 20).min(MAX_TRIMMED);
        let wanted = usize::try_from(excess).unwrap_or(0);
        let mut ids: Vec<_> = self
            .logged_messages(tenant)
            .await?
            .into_iter()
            .take(wanted)
            .collect();
        if ids.len() < wanted {
            let oldest = [
                doc! { "$match": { "tenant": tenant, "_id": { "$nin": &ids } } },
                doc! { "$sort": { "_id": 1 } },
                doc! { "$limit": excess },
                doc! { "$project": { "_id": 1 } },
            ];
            let oldest = self::ids(self.aggregate(self.messages(), oldest.into()).await?);
            let missing = wanted - ids.len();
            ids.extend(oldest.into_iter().take(missing));
        }
        let (messages, deliveries, removed) = (self.messages(), self.deliveries(), ids.len());
        let of_messages = doc! { "tenant": tenant, "message_id": { "$in": &ids } };
        self.run(async move {
            deliveries.delete_many(of_messages).await?;
            messages.delete_many(doc! { "_id": { "$in": ids } }).await
        })
        .await?;
        Ok(removed)
    }

    /// Returns the ids of a tenant's oldest messages whose deliveries have all ended, oldest first.
    async fn logged_messages(&self, tenant: &str) -> Result<BTreeSet<String>, DbError> {
        let pending = DeliveryState::Pending.as_str();
        let ended = [
            doc! { "$match": { "tenant": tenant, "state": { "$in": DeliveryState::ENDED.map(DeliveryState::as_str).to_vec() } } },
            doc! { "$sort": { "message_id": 1 } },
            doc! { "$limit": MAX_TRIMMED },
            doc! { "$group": { "_id": "$message_id" } },
        ];
        let mut ids = ids(self.aggregate(self.deliveries(), ended.into()).await?);
        let open = [
            doc! { "$match": { "tenant": tenant, "state": pending, "message_id": { "$in": Vec::from_iter(&ids) } } },
            doc! { "$group": { "_id": "$message_id" } },
        ];
        for id in self::ids(self.aggregate(self.deliveries(), open.into()).await?) {
            ids.remove(&id);
        }
        Ok(ids)
    }

    fn messages(&self) -> Collection<Message> {
        self.collection(NAME)
    }
}

/// The ids of groups.
fn ids(groups: Vec<Document>) -> BTreeSet<String> {
    let id = |group: Document| group.get_str("_id").ok().map(str::to_owned);
    groups.into_iter().filter_map(id).collect()
}

/// The indexes of the queries above.
pub(super) fn indexes() -> Vec<IndexModel> {
    let ttl = IndexOptions::builder().expire_after(Duration::ZERO).build();
    vec![
        IndexModel::builder().keys(doc! { "tenant": 1, "_id": 1 }).build(),
        IndexModel::builder()
            .keys(doc! { "expires_at": 1 })
            .options(ttl)
            .build(),
    ]
}
