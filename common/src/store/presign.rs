//! Presigned URLs, with which clients access the store directly. Each is a secret.

use super::{
    client::Store,
    error::{StoreError, refused},
};
use aws_sdk_s3::presigning::PresigningConfig;
use std::time::Duration;

impl Store {
    /// A URL that reads the object without credentials for the duration `valid`. It is a secret: never log it.
    pub async fn presign(&self, key: &str, valid: Duration) -> Result<String, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let request = get.presigned(validity(key, valid)?).await;
        Ok(request.map_err(refused("presign", key))?.uri().to_owned())
    }

    /// A URL that downloads the object with this `Content-Disposition` (RFC 6266). It is a secret.
    pub async fn presign_download(
        &self,
        key: &str,
        content_type: &str,
        disposition: &str,
        valid: Duration,
    ) -> Result<String, StoreError> {
        let get = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .response_content_type(content_type)
            .response_content_disposition(disposition);
        let request = get.presigned(validity(key, valid)?).await;
        Ok(request.map_err(refused("presign", key))?.uri().to_owned())
    }

    /// A URL for one part of a multipart upload, numbered from 1, of exactly `size` bytes.
    ///
    /// The length is signed: the store refuses a PUT with another `Content-Length`. The URL is dead once the upload is
    /// completed or aborted.
    pub async fn presign_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        size: u64,
        valid: Duration,
    ) -> Result<String, StoreError> {
        let part = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(number)
            .content_length(size.cast_signed());
        let request = part.presigned(validity(key, valid)?).await;
        Ok(request.map_err(refused("presign", key))?.uri().to_owned())
    }
}

fn validity(key: &str, valid: Duration) -> Result<PresigningConfig, StoreError> {
    PresigningConfig::expires_in(valid).map_err(|error| StoreError::Refused {
        what: "presign",
        key: key.to_owned(),
        detail: error.to_string(),
    })
}
