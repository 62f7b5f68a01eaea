//! Upload of a stream of unknown length.

use super::{
    client::Store,
    error::{StoreError, refused},
    objects::Stored,
    parts::{Parts, part_size},
};
use aws_sdk_s3::types::CompletedMultipartUpload;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use vidp_contract::hex;

/// An open multipart upload. Dropping it aborts the upload, so that a client that disconnects leaves no parts behind.
pub struct Multipart {
    store: Store,
    key: String,
    upload_id: String,
    parts: Parts,
    hash: Sha256,
    size: u64,
    open: bool,
}

impl Multipart {
    /// Opens an upload for at most `max_size` bytes.
    pub async fn start(
        store: &Store,
        key: &str,
        content_type: &str,
        max_size: u64,
    ) -> Result<Multipart, StoreError> {
        let upload_id = store.open_multipart(key, content_type).await?;
        Ok(Multipart {
            store: store.clone(),
            key: key.to_owned(),
            parts: Parts::after(0, store, key, &upload_id, part_size(max_size)),
            upload_id,
            hash: Sha256::new(),
            size: 0,
            open: true,
        })
    }

    /// The upload id, with which another process can abort the upload if this one dies.
    pub fn upload_id(&self) -> &str {
        &self.upload_id
    }

    /// Number of bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the bytes written so far, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Adds bytes. Waits while the previous part is being sent.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        self.parts.write(bytes).await
    }

    /// Sends the rest and makes the object visible.
    pub async fn complete(mut self) -> Result<Stored, StoreError> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(self.parts.finish().await?))
            .build();
        let completed = self
            .store
            .client
            .complete_multipart_upload()
            .bucket(&self.store.bucket)
            .key(&self.key)
            .upload_id(&self.upload_id)
            .multipart_upload(parts)
            .send()
            .await
            .map_err(refused("complete upload", &self.key));
        if let Err(error) = completed {
            // The response may have been lost after the store completed the upload: the object itself decides.
            if self.store.size(&self.key).await? != Some(self.size) {
                return Err(error);
            }
        }
        self.open = false;
        Ok(Stored {
            size: self.size,
            sha256: self.sha256(),
        })
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        self.parts.abort();
        let (store, key) = (self.store.clone(), std::mem::take(&mut self.key));
        let upload_id = std::mem::take(&mut self.upload_id);
        // Without a runtime the process is ending; the sweeper aborts the upload later.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = store.abort_multipart(&key, &upload_id).await {
                    tracing::warn!(key, %error, "an upload could not be aborted; the sweeper will try again");
                }
            });
        }
    }
}
