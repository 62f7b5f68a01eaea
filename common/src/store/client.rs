//! The S3-compatible object store. Keeps to plain S3: multipart, ranges, presigned reads, `If-None-Match`.

mod direct;
mod multipart;
mod parts;
mod transfer;

pub use multipart::Multipart;
pub use parts::{Parts, part_size};

use crate::config::S3Config;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectOutput,
    types::{Delete, ObjectIdentifier},
};
use aws_smithy_http_client::{Builder as HttpClient, tls};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::time::Duration;
use uuid::Uuid;
use vidp_contract::hex;

/// A store that does not answer a simple question within this time is down.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// Name of a small object's hash among its metadata: lower-case hexadecimal.
const SHA256: &str = "sha256";

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("no object {key}")]
    Missing {
        /// Its key.
        key: String,
    },
    /// The object is not the one that was stored: its size or SHA-256 differs.
    #[error("object {key} is not what was stored: {detail}")]
    Corrupt {
        /// Its key.
        key: String,
        /// Expected and found.
        detail: String,
    },
    /// The store refused or did not answer.
    #[error("{what} {key}: {detail}")]
    Refused {
        /// The operation.
        what: &'static str,
        /// The object.
        key: String,
        /// What the store said.
        detail: String,
    },
    /// A local file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

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

/// One bucket.
#[derive(Clone)]
pub struct Store {
    client: Client,
    bucket: String,
}

impl Store {
    /// Makes a client; nothing is sent yet.
    pub fn new(config: &S3Config) -> Store {
        let credentials = Credentials::new(&config.s3_access_key, &config.s3_secret_key, None, None, "vidp");
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            // To the first byte of the answer: completing a large multipart upload takes a server a while.
            .read_timeout(Duration::from_secs(30))
            .operation_attempt_timeout(Duration::from_secs(120))
            .build();
        let stalls = StalledStreamProtectionConfig::enabled()
            .grace_period(Duration::from_secs(20))
            .build();
        let config_s3 = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(
                HttpClient::new()
                    .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
                    .build_https(),
            )
            .endpoint_url(&config.s3_endpoint)
            .force_path_style(true)
            .region(Region::new(config.s3_region.clone()))
            .credentials_provider(credentials)
            // The default trailers break some S3-compatible servers; VidP keeps a SHA-256 of its own end to end.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts)
            .stalled_stream_protection(stalls)
            .build();
        Store {
            client: Client::from_conf(config_s3),
            bucket: config.s3_bucket.clone(),
        }
    }

    /// Another bucket of the same store.
    pub fn beside(&self, bucket: &str) -> Store {
        Store {
            client: self.client.clone(),
            bucket: bucket.to_owned(),
        }
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Creates the bucket if it is not there.
    pub async fn ensure_bucket(&self) -> Result<(), StoreError> {
        if self.check().await.is_ok() {
            return Ok(());
        }
        let made = self.client.create_bucket().bucket(&self.bucket).send().await;
        match made {
            Ok(_) => Ok(()),
            // Somebody else was faster, or it is there and only HEAD failed: the second look decides.
            Err(error) => self
                .check()
                .await
                .map_err(|_| refused("create bucket", &self.bucket)(error)),
        }
    }

    /// The bucket answers, soon and at the first try.
    pub async fn check(&self) -> Result<(), StoreError> {
        let quick = aws_sdk_s3::config::Builder::new()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(CHECK_TIMEOUT).build());
        let head = self
            .client
            .head_bucket()
            .bucket(&self.bucket)
            .customize()
            .config_override(quick);
        head.send()
            .await
            .map(drop)
            .map_err(refused("bucket", &self.bucket))
    }

    /// Whether the server honours `If-None-Match: *`: the fence against two workers committing the same stage rests
    /// on it, and some servers ignore it and answer 200.
    pub async fn honours_conditional_writes(&self) -> Result<bool, StoreError> {
        let key = format!("probes/{}", Uuid::now_v7());
        let twice = async {
            self.put_if_absent(&key, b"first".to_vec()).await?;
            self.put_if_absent(&key, b"second".to_vec()).await
        };
        // Deleted whatever came of it: workers ask while the store is in trouble, and none may leave its object there.
        let (second, deleted) = (twice.await, self.delete(&key).await);
        let second = second?;
        deleted?;
        Ok(second == PutIfAbsent::Exists)
    }

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

    /// A URL that reads the object without credentials for the next `valid` time. It is a secret: never logged.
    pub async fn presign(&self, key: &str, valid: Duration) -> Result<String, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let request = get.presigned(direct::validity(key, valid)?).await;
        Ok(request.map_err(refused("presign", key))?.uri().to_owned())
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

    /// Every key below `prefix`.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let found = self.list_sizes(prefix).await?;
        Ok(found.into_iter().map(|(key, _)| key).collect())
    }

    /// Every key below `prefix`, with the object's size in bytes.
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

    /// Deletes the objects with these keys.
    pub async fn delete_all(&self, keys: &[String]) -> Result<(), StoreError> {
        // The S3 API takes at most 1,000 keys a request.
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

    /// Aborts a multipart upload that nobody finishes; fine if it is gone.
    pub async fn abort_multipart(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        let abort = self
            .client
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .send()
            .await;
        match abort.map_err(refused("abort", key)) {
            Ok(_) | Err(StoreError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Every open multipart upload below `prefix`: key and upload id.
    pub async fn open_multiparts(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let listed = self
            .client
            .list_multipart_uploads()
            .bucket(&self.bucket)
            .prefix(prefix)
            .send()
            .await
            .map_err(refused("list uploads", prefix))?;
        let open = listed.uploads().iter();
        Ok(open
            .filter_map(|upload| Some((upload.key()?.to_owned(), upload.upload_id()?.to_owned())))
            .collect())
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn refused<E>(what: &'static str, key: &str) -> impl FnOnce(SdkError<E>) -> StoreError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let key = key.to_owned();
    move |error| {
        if status(&error) == Some(404) {
            return StoreError::Missing { key };
        }
        let detail = match (error.code(), status(&error)) {
            (Some(code), _) => format!("{code}: {}", error.message().unwrap_or_default()),
            (None, Some(status)) => format!("status {status}"),
            (None, None) => chain(&error),
        };
        StoreError::Refused { what, key, detail }
    }
}

/// The causes in one line: the SDK's own text is only "dispatch failure".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
