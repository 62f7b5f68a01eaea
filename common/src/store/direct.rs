//! What clients do at the store themselves: presigned URLs for uploads and downloads, and the completion of what they have
//! sent.

use super::{Store, StoreError, refused};
use aws_sdk_s3::{
    presigning::PresigningConfig,
    types::{CompletedMultipartUpload, CompletedPart},
};
use std::time::Duration;

impl Store {
    /// A URL that a whole object may be PUT to without credentials for the next `valid` time. It is a secret.
    pub async fn presign_put(&self, key: &str, valid: Duration) -> Result<String, StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key);
        let request = put.presigned(validity(key, valid)?).await;
        Ok(request.map_err(refused("presign", key))?.uri().to_owned())
    }

    /// A URL that downloads the object as `disposition` says (RFC 6266). It is a secret.
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

    /// A URL for one part of a multipart upload, numbered from 1.
    pub async fn presign_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        valid: Duration,
    ) -> Result<String, StoreError> {
        let part = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(number);
        let request = part.presigned(validity(key, valid)?).await;
        Ok(request.map_err(refused("presign", key))?.uri().to_owned())
    }

    /// Opens a multipart upload; gives its id.
    pub async fn open_multipart(&self, key: &str, content_type: &str) -> Result<String, StoreError> {
        let opened = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .send()
            .await
            .map_err(refused("start upload", key))?;
        Ok(opened.upload_id().unwrap_or_default().to_owned())
    }

    /// Makes an object of all the parts that were sent. Fine when that was done before.
    pub async fn complete_sent(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        let parts = match self.sent_parts(key, upload_id).await {
            // There is no such upload any more: the object itself decides.
            Err(StoreError::Missing { .. }) => return Ok(()),
            parts => parts?,
        };
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await;
        match completed.map_err(refused("complete upload", key)) {
            Ok(_) | Err(StoreError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn sent_parts(&self, key: &str, upload_id: &str) -> Result<Vec<CompletedPart>, StoreError> {
        let mut parts = Vec::new();
        let mut pages = self
            .client
            .list_parts()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(refused("list parts", key))?;
            parts.extend(page.parts().iter().map(|part| {
                CompletedPart::builder()
                    .set_part_number(part.part_number())
                    .set_e_tag(part.e_tag().map(str::to_owned))
                    .build()
            }));
        }
        Ok(parts)
    }
}

pub(super) fn validity(key: &str, valid: Duration) -> Result<PresigningConfig, StoreError> {
    PresigningConfig::expires_in(valid).map_err(|error| StoreError::Refused {
        what: "presign",
        key: key.to_owned(),
        detail: error.to_string(),
    })
}
