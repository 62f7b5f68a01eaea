//! Small objects and single requests.

use super::{
    client::Store,
    error::{StoreError, refused, status},
};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use vidp_contract::hex;

/// Name of a small object's hash among its metadata: lower-case hexadecimal.
const SHA256: &str = "sha256";

/// Size and hash of something stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
}

/// Who wrote an object first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutIfAbsent {
    /// This call.
    Created,
    /// Somebody else, before.
    Exists,
}

impl Store {
    /// Stores a small object, with its hash, unless one is there.
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

    /// Stores a small object, in the place of the one that may be there.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(bytes.into());
        put.send().await.map(drop).map_err(refused("put", key))
    }

    /// A small object's bytes; `None` when there is none. They are compared with the hash that they were stored with, if
    /// there is one: what is decided by them may be what is deleted.
    pub async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.get(key, None).await {
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
                        detail: "its bytes do not have the SHA-256 that it was stored with".to_owned(),
                    }),
                    _ => Ok(Some(bytes)),
                }
            }
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens an object for reading; `range` is an HTTP `Range` header, passed on as it is.
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

    /// An object's size in bytes; `None` when there is none.
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

    /// Deletes one object; fine if there is none.
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
