//! The client of one bucket.

use super::error::{StoreError, refused};
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

/// Time limit of [`Store::check`]: without an answer by then the store counts as down.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// A client of one bucket.
#[derive(Clone)]
pub struct Store {
    pub(super) client: Client,
    pub(super) bucket: String,
}

impl Store {
    /// Creates a client. Sends no request.
    pub fn new(config: &S3Config) -> Store {
        let credentials = Credentials::new(&config.s3_access_key, &config.s3_secret_key, None, None, "vidp");
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            // Until the first byte of the response: a server needs some time to complete a large multipart upload.
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
            // The default trailers break some S3-compatible servers; VidP checks its own SHA-256 end to end.
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

    /// A client of another bucket in the same store.
    pub fn beside(&self, bucket: &str) -> Store {
        Store {
            client: self.client.clone(),
            bucket: bucket.to_owned(),
        }
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Creates the bucket if it does not exist.
    pub async fn ensure_bucket(&self) -> Result<(), StoreError> {
        if self.check().await.is_ok() {
            return Ok(());
        }
        let made = self.client.create_bucket().bucket(&self.bucket).send().await;
        match made {
            Ok(_) => Ok(()),
            // Another process may have created it, or only HEAD failed: the second check decides.
            Err(error) => self
                .check()
                .await
                .map_err(|_| refused("create bucket", &self.bucket)(error)),
        }
    }

    /// Checks that the bucket answers quickly and without retries.
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
        let found = head.send().await.map_err(refused("bucket", &self.bucket));
        found.map(drop).map_err(|error| match error {
            // An outage: no object is missing.
            StoreError::Missing { key } => StoreError::Refused {
                what: "bucket",
                key,
                detail: "it does not exist".to_owned(),
            },
            other => other,
        })
    }
}
