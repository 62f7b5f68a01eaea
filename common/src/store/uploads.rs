//! Multipart uploads by key and upload id.

use super::{
    client::Store,
    error::{StoreError, refused},
};
use aws_sdk_s3::{
    primitives::DateTime,
    types::{CompletedMultipartUpload, CompletedPart, MultipartUpload, Part},
};
use std::{collections::BTreeMap, time::SystemTime};

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
        let parts = match self.listed_parts(key, upload_id).await {
            // The upload no longer exists: the caller checks the object itself.
            Err(StoreError::Missing { .. }) => return Ok(()),
            parts => parts?,
        };
        let parts = parts.into_iter().map(|part| {
            CompletedPart::builder()
                .set_part_number(part.part_number)
                .set_e_tag(part.e_tag)
                .build()
        });
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts.collect()))
                    .build(),
            )
            .send()
            .await;
        match completed.map_err(refused("complete upload", key)) {
            Ok(_) | Err(StoreError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sizes in bytes of the parts that the store has, by number; `None` when the upload does not exist, or has ended.
    pub async fn sent_sizes(
        &self,
        key: &str,
        upload_id: &str,
    ) -> Result<Option<BTreeMap<i32, u64>>, StoreError> {
        let size = |part: &Part| part.size().unwrap_or(0).max(0).cast_unsigned();
        match self.listed_parts(key, upload_id).await {
            Ok(parts) => Ok(Some(
                parts
                    .iter()
                    .map(|part| (part.part_number().unwrap_or(0), size(part)))
                    .collect(),
            )),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn listed_parts(&self, key: &str, upload_id: &str) -> Result<Vec<Part>, StoreError> {
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
            parts.extend(
                page.map_err(refused("list parts", key))?
                    .parts
                    .unwrap_or_default(),
            );
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
        self.list_multiparts(prefix, |_| true).await
    }

    /// Key and upload id of every open multipart upload that began before this time, in the whole bucket.
    ///
    /// Some servers list uploads by the exact key only, and find none here. They abort old uploads by themselves.
    pub async fn old_multiparts(&self, before: SystemTime) -> Result<Vec<(String, String)>, StoreError> {
        let before = DateTime::from(before);
        self.list_multiparts("", |upload| {
            upload.initiated().is_some_and(|initiated| *initiated < before)
        })
        .await
    }

    async fn list_multiparts(
        &self,
        prefix: &str,
        wanted: impl Fn(&MultipartUpload) -> bool,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut found = Vec::new();
        let (mut key, mut upload_id) = (None, None);
        loop {
            let list = self.client.list_multipart_uploads().bucket(&self.bucket);
            let page = list
                .set_prefix(Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()))
                .set_key_marker(key)
                .set_upload_id_marker(upload_id)
                .send()
                .await
                .map_err(refused("list uploads", prefix))?;
            let open = page.uploads().iter().filter(|upload| wanted(upload));
            found.extend(
                open.filter_map(|upload| Some((upload.key()?.to_owned(), upload.upload_id()?.to_owned()))),
            );
            if page.is_truncated() != Some(true) || page.next_key_marker.is_none() {
                return Ok(found);
            }
            (key, upload_id) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }
}
