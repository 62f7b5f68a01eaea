//! Uploading a stream of unknown length.

use super::{Store, StoreError, Stored, refused};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::{runtime::Handle, task::JoinSet};

/// S3's own lower bound for every part but the last.
const MIN_PART: u64 = 5 << 20;
/// S3's own bound on the number of parts.
const MAX_PARTS: u64 = 10_000;
/// Parts on their way at the same time, for each upload. With the one being filled this bounds the memory of an
/// upload to two parts.
const IN_FLIGHT: usize = 1;

/// An open multipart upload. Dropping it aborts it: a client that vanishes leaves nothing behind.
pub struct Multipart {
    store: Store,
    key: String,
    upload_id: String,
    part_size: usize,
    buffer: BytesMut,
    hash: Sha256,
    size: u64,
    next_part: i32,
    in_flight: JoinSet<Result<CompletedPart, StoreError>>,
    done: Vec<CompletedPart>,
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
        let part_size = max_size.div_ceil(MAX_PARTS).max(MIN_PART);
        Ok(Multipart {
            store: store.clone(),
            key: key.to_owned(),
            upload_id,
            part_size: usize::try_from(part_size).unwrap_or(usize::MAX),
            buffer: BytesMut::new(),
            hash: Sha256::new(),
            size: 0,
            next_part: 1,
            in_flight: JoinSet::new(),
            done: Vec::new(),
            open: true,
        })
    }

    /// The id by which somebody else can abort it when this process dies.
    pub fn upload_id(&self) -> &str {
        &self.upload_id
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the bytes written so far, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Adds bytes; waits while the part before is still being sent.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        self.hash.update(&bytes);
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.buffer.capacity() == 0 {
                // The whole part at once: growing step by step would take twice as much.
                self.buffer = BytesMut::with_capacity(self.part_size);
            }
            let room = self.part_size - self.buffer.len();
            let some = bytes.split_to(room.min(bytes.len()));
            self.buffer.extend_from_slice(&some);
            if self.buffer.len() == self.part_size {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), StoreError> {
        while self.in_flight.len() >= IN_FLIGHT {
            self.collect_part().await?;
        }
        let number = self.next_part;
        self.next_part += 1;
        let request = self
            .store
            .client
            .upload_part()
            .bucket(&self.store.bucket)
            .key(&self.key)
            .upload_id(&self.upload_id)
            .part_number(number)
            .body(std::mem::take(&mut self.buffer).freeze().into());
        let key = self.key.clone();
        self.in_flight.spawn(async move {
            let sent = request.send().await.map_err(refused("upload part", &key))?;
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag().map(str::to_owned))
                .build())
        });
        Ok(())
    }

    async fn collect_part(&mut self) -> Result<(), StoreError> {
        if let Some(joined) = self.in_flight.join_next().await {
            let part = joined.map_err(|error| StoreError::Refused {
                what: "upload part",
                key: self.key.clone(),
                detail: error.to_string(),
            })?;
            self.done.push(part?);
        }
        Ok(())
    }

    /// Sends the rest and makes the object visible.
    pub async fn complete(mut self) -> Result<Stored, StoreError> {
        // An upload needs at least one part, even an empty one.
        if !self.buffer.is_empty() || self.next_part == 1 {
            self.send_part().await?;
        }
        while !self.in_flight.is_empty() {
            self.collect_part().await?;
        }
        self.done.sort_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(std::mem::take(&mut self.done)))
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
            // The answer may have been lost after the work was done: the object itself decides.
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
        self.in_flight.abort_all();
        let (store, key) = (self.store.clone(), std::mem::take(&mut self.key));
        let upload_id = std::mem::take(&mut self.upload_id);
        // Without a runtime the process is ending; the sweeper aborts it then.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = store.abort_multipart(&key, &upload_id).await {
                    tracing::warn!(key, %error, "an upload could not be aborted; the sweeper will try again");
                }
            });
        }
    }
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
