//! Multipart uploads by key and upload id.

use super::{
    client::Store,
    error::{StoreError, refused},
};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

impl Store {
    /// Opens a multipart upload and returns its id.
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

    /// Completes an upload with all parts that the store has. Succeeds when that was done before.
    pub async fn complete_sent(&self, key: &str, upload_id: &str) -> Result<(), StoreError> {
        let parts = match self.sent_parts(key, upload_id).await {
            // The upload no longer exists: the caller checks the object itself.
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

    /// Aborts a multipart upload. Succeeds when it does not exist.
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

    /// Key and upload id of every open multipart upload with this key prefix.
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
