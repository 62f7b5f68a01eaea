//! The client of one bucket.

use super::{
    error::{StoreError, refused},
    objects::PutIfAbsent,
};
use crate::config::S3Config;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{Builder as HttpClient, tls};
use std::time::Duration;
use uuid::Uuid;

/// A store that does not answer a simple question within this time is down.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// One bucket.
#[derive(Clone)]
pub struct Store {
    pub(super) client: Client,
    pub(super) bucket: String,
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
}
