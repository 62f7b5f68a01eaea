//! Small objects and single requests.

use super::{
    client::Store,
    error::{StoreError, refused, status},
};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use vidp_contract::{Stage, hex, keys};

/// Metadata entry with the SHA-256 of a small object, in lower-case hexadecimal.
const SHA256: &str = "sha256";

/// Size and hash of a stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Size in bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
}

/// Result of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutIfAbsent {
    /// This call created the object.
    Created,
    /// The object existed before.
    Exists,
}

impl Store {
    /// Stores a small object, with its hash, unless an object with this key exists.
    pub async fn put_if_absent(&self, key: &str, bytes: Vec<u8>) -> Result<PutIfAbsent, StoreError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .metadata(SHA256, hex(&Sha256::digest(&bytes)))
            .if_none_match("*")
            .body(bytes.into())
            .send()
            .await;
        match put {
            Ok(_) => Ok(PutIfAbsent::Created),
            Err(error) if status(&error) == Some(412) => Ok(PutIfAbsent::Exists),
            Err(error) => Err(refused("put", key)(error)),
        }
    }

    /// Tests that the server accepts a write and honours `If-None-Match: *`, with the object of this stage for tests.
    ///
    /// This condition is the fence that stops two workers from committing the same stage. Some servers ignore it and
    /// answer 200. The object remains, and the next test overwrites it: a worker has no right to delete.
    pub async fn honours_conditional_writes(&self, stage: Stage) -> Result<bool, StoreError> {
        let key = keys::probe(stage);
        self.put(&key, Bytes::from_static(b"first")).await?;
        Ok(self.put_if_absent(&key, b"second".to_vec()).await? == PutIfAbsent::Exists)
    }

    /// Stores a small object; replaces an existing one.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(bytes.into());
        put.send().await.map(drop).map_err(refused("put", key))
    }

    /// Reads a small object; `None` when it does not exist.
    ///
    /// Compares the bytes with the hash in the object's metadata, if present: the content may decide which objects are
    /// deleted.
    pub async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_at_most(key, u64::MAX).await
    }

    /// Reads a small object as [`read`](Self::read) does.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when it has more than `limit` bytes, before they are received.
    pub async fn read_at_most(&self, key: &str, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match self.get(key, None).await {
            Ok(object) if object.content_length().unwrap_or(0).max(0).cast_unsigned() > limit => {
                Err(StoreError::TooLarge {
                    key: key.to_owned(),
                    limit,
                })
            }
            Ok(object) => {
                let stored = object
                    .metadata()
                    .and_then(|metadata| metadata.get(SHA256))
                    .cloned();
                let bytes = object.body.collect().await.map_err(|error| StoreError::Refused {
                    what: "read",
                    key: key.to_owned(),
                    detail: error.to_string(),
                })?;
                let bytes = bytes.to_vec();
                match stored {
                    Some(stored) if stored != hex(&Sha256::digest(&bytes)) => Err(StoreError::Corrupt {
                        key: key.to_owned(),
                        detail: "the SHA-256 of its bytes differs from the one in its metadata".to_owned(),
                    }),
                    _ => Ok(Some(bytes)),
                }
            }
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens an object for reading; `range` is an HTTP `Range` header, passed on unchanged.
    pub async fn get(&self, key: &str, range: Option<String>) -> Result<GetObjectOutput, StoreError> {
        self.client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_range(range)
            .send()
            .await
            .map_err(refused("get", key))
    }

    /// Size of an object in bytes; `None` when it does not exist.
    pub async fn size(&self, key: &str) -> Result<Option<u64>, StoreError> {
        let head = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        match head.map_err(refused("head", key)) {
            Ok(head) => Ok(Some(head.content_length().unwrap_or(0).max(0).cast_unsigned())),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes one object. Succeeds when it does not exist.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .map(drop)
            .map_err(refused("delete", key))
    }
}
