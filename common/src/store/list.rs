//! Listing by prefix and deletion in bulk.

use super::{
    client::Store,
    error::{StoreError, refused},
};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

impl Store {
    /// All keys with this prefix.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let found = self.list_sizes(prefix).await?;
        Ok(found.into_iter().map(|(key, _)| key).collect())
    }

    /// All keys with this prefix, each with the size of its object in bytes.
    pub async fn list_sizes(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let mut found = Vec::new();
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(refused("list", prefix))?;
            found.extend(page.contents().iter().filter_map(|object| {
                let size = object.size().unwrap_or(0).max(0).cast_unsigned();
                Some((object.key()?.to_owned(), size))
            }));
        }
        Ok(found)
    }

    /// Deletes the objects with these keys. Keys without an object are ignored.
    pub async fn delete_all(&self, keys: &[String]) -> Result<(), StoreError> {
        // S3 accepts at most 1,000 keys in a request.
        for some in keys.chunks(1000) {
            let ids = some
                .iter()
                .map(|key| ObjectIdentifier::builder().key(key).build());
            let delete = ids
                .collect::<Result<Vec<_>, _>>()
                .and_then(|ids| Delete::builder().set_objects(Some(ids)).quiet(true).build())
                .expect("every identifier has its key");
            let request = self.client.delete_objects().bucket(&self.bucket).delete(delete);
            let answer = request.send().await.map_err(refused("delete", &some[0]))?;
            if let Some(error) = answer.errors().first() {
                return Err(StoreError::Refused {
                    what: "delete",
                    key: error.key().unwrap_or_default().to_owned(),
                    detail: error.message().unwrap_or_default().to_owned(),
                });
            }
        }
        Ok(())
    }
}
