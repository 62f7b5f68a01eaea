//! The collection `webhooks`.

use super::client::{Db, DbError};
use crate::webhook::{EventType, Secret, Webhook};
use async_recursion::async_recursion as boxed;
use mongodb::{
    Collection, IndexModel,
    bson::{DateTime, Document, doc},
};
use uuid::Uuid;

/// The collection's name.
pub(super) const NAME: &str = "webhooks";

impl Db {
    /// Stores a new webhook.
    #[boxed]
    pub async fn insert_webhook(&self, webhook: &Webhook) -> Result<(), DbError> {
        let (webhooks, webhook) = (self.webhooks(), self.sealed(webhook)?);
        self.run(async move { webhooks.insert_one(webhook).await.map(drop) })
            .await
    }

    /// Returns a tenant's webhook.
    #[boxed]
    pub async fn webhook(&self, tenant: &str, id: Uuid) -> Result<Webhook, DbError> {
        let query = doc! { "_id": id.to_string(), "tenant": tenant };
        let found = self.find_first(self.webhooks(), query).await?;
        found.map(|webhook| self.opened(webhook)).ok_or(DbError::NotFound)
    }

    /// Returns a tenant's webhooks, oldest first.
    #[boxed]
    pub async fn webhooks_of(&self, tenant: &str) -> Result<Vec<Webhook>, DbError> {
        self.find_webhooks(doc! { "tenant": tenant }).await
    }

    /// Returns the enabled webhooks of a tenant that subscribe to `event`.
    #[boxed]
    pub async fn webhooks_for(&self, tenant: &str, event: EventType) -> Result<Vec<Webhook>, DbError> {
        let found = self
            .find_webhooks(doc! { "tenant": tenant, "enabled": true })
            .await?;
        // Without a selection a webhook receives the ends of jobs.
        let is_end = event != EventType::Playable;
        let wanted = |webhook: &Webhook| {
            (webhook.event_types.is_empty() && is_end) || webhook.event_types.contains(&event)
        };
        Ok(found.into_iter().filter(wanted).collect())
    }

    async fn find_webhooks(&self, query: Document) -> Result<Vec<Webhook>, DbError> {
        let found = self
            .find_all(self.webhooks(), query, doc! { "_id": 1 }, 0)
            .await?;
        Ok(found.into_iter().map(|webhook| self.opened(webhook)).collect())
    }

    /// Encrypts the secrets again that the previous key encrypted, so that it is no longer needed.
    #[boxed]
    pub async fn reseal_webhooks(&self) -> Result<(), DbError> {
        if !self.vault().has_previous() {
            return Ok(());
        }
        for webhook in self.find_all(self.webhooks(), doc! {}, doc! {}, 0).await? {
            let is_outdated = |secret: &Secret| self.vault().is_outdated(webhook.id, &secret.key);
            if webhook.secrets.iter().any(is_outdated) {
                match self.update_webhook(&webhook.tenant, webhook.id, |_| {}).await {
                    Ok(_) | Err(DbError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Returns the webhook with its secrets decrypted. A secret that no key opens stays as it is and signs nothing.
    fn opened(&self, mut webhook: Webhook) -> Webhook {
        for secret in &mut webhook.secrets {
            if let Some(key) = self.vault().open(webhook.id, &secret.key) {
                secret.key = key;
            }
        }
        webhook
    }

    /// Returns the webhook with its secrets encrypted.
    fn sealed(&self, webhook: &Webhook) -> Result<Webhook, DbError> {
        let mut webhook = webhook.clone();
        for secret in &mut webhook.secrets {
            let sealed = self.vault().seal(webhook.id, &secret.key);
            secret.key = sealed.map_err(DbError::Unsealed)?;
        }
        Ok(webhook)
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
            let (webhooks, new) = (self.webhooks(), self.sealed(&webhook)?);
            let replaced = self
                .run(async move { webhooks.replace_one(before, new).await })
                .await?;
            if replaced.matched_count == 1 {
                return Ok(webhook);
            }
        }
    }

    /// Removes a webhook and its deliveries. Returns false when the webhook does not exist.
    #[boxed]
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
