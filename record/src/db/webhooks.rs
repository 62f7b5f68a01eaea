//! The collection `webhooks`.

use super::client::{Db, DbError};
use crate::webhook::{EventType, Webhook};
use futures_util::TryStreamExt;
use mongodb::{
    Collection, IndexModel,
    bson::{DateTime, Document, doc},
};
use uuid::Uuid;

/// The collection's name.
pub(super) const NAME: &str = "webhooks";

impl Db {
    /// Stores a new webhook.
    pub async fn insert_webhook(&self, webhook: &Webhook) -> Result<(), DbError> {
        let (webhooks, webhook) = (self.webhooks(), webhook.clone());
        self.run(async move { webhooks.insert_one(webhook).await.map(drop) })
            .await
    }

    /// Returns a tenant's webhook.
    pub async fn webhook(&self, tenant: &str, id: Uuid) -> Result<Webhook, DbError> {
        let webhooks = self.webhooks();
        let query = doc! { "_id": id.to_string(), "tenant": tenant };
        let found = self.run(async move { webhooks.find_one(query).await }).await?;
        found.ok_or(DbError::NotFound)
    }

    /// Returns a tenant's webhooks, oldest first.
    pub async fn webhooks_of(&self, tenant: &str) -> Result<Vec<Webhook>, DbError> {
        self.find_webhooks(doc! { "tenant": tenant }).await
    }

    /// Returns the enabled webhooks of a tenant that subscribe to `event`.
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

    /// Changes a webhook by compare-and-set. `change` runs again after a concurrent change.
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

    /// Removes a webhook and its deliveries. Returns false when the webhook does not exist.
    pub async fn remove_webhook(&self, tenant: &str, id: Uuid) -> Result<bool, DbError> {
        let (webhooks, deliveries) = (self.webhooks(), self.deliveries());
        let query = doc! { "_id": id.to_string(), "tenant": tenant };
        let to_webhook = doc! { "webhook_id": id.to_string() };
        self.run(async move {
            let removed = webhooks.delete_one(query).await?.deleted_count == 1;
            deliveries.delete_many(to_webhook).await?;
            Ok(removed)
        })
        .await
    }

    fn webhooks(&self) -> Collection<Webhook> {
        self.collection(NAME)
    }
}

/// The indexes of the queries above.
pub(super) fn indexes() -> Vec<IndexModel> {
    vec![IndexModel::builder().keys(doc! { "tenant": 1, "_id": 1 }).build()]
}
