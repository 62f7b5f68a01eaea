//! The parts of one multipart upload, in order.

use super::{
    client::Store,
    error::{StoreError, refused},
};
use aws_sdk_s3::types::CompletedPart;
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;

/// Minimum size of every part but the last, set by S3.
const MIN_PART: u64 = 5 << 20;
/// Maximum number of parts, set by S3.
const MAX_PARTS: u64 = 10_000;
/// Maximum number of parts in flight for each upload. With the part that is being filled, an upload needs memory for
/// two parts.
const IN_FLIGHT: usize = 1;

/// Size of the parts for a file of at most `max_size` bytes.
pub fn part_size(max_size: u64) -> u64 {
    max_size.div_ceil(MAX_PARTS).max(MIN_PART)
}

/// Splits a stream into parts of one size and sends each part as soon as it is full.
///
/// The number of a part depends only on the offset of its bytes, so that a repeated part replaces the earlier one.
pub struct Parts {
    store: Store,
    key: String,
    upload_id: String,
    size: usize,
    buffer: BytesMut,
    next: i32,
    in_flight: JoinSet<Result<CompletedPart, StoreError>>,
    done: Vec<CompletedPart>,
}

impl Parts {
    /// Continues an upload after its first `before` parts; `size` is the size of a part in bytes.
    pub fn after(before: i32, store: &Store, key: &str, upload_id: &str, size: u64) -> Parts {
        Parts {
            store: store.clone(),
            key: key.to_owned(),
            upload_id: upload_id.to_owned(),
            size: usize::try_from(size).unwrap_or(usize::MAX),
            buffer: BytesMut::new(),
            next: before + 1,
            in_flight: JoinSet::new(),
            done: Vec::new(),
        }
    }

    /// Adds bytes. Waits while the previous part is being sent.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            if self.buffer.capacity() == 0 {
                // Allocates the whole part at once: growing in steps would need twice the memory.
                self.buffer = BytesMut::with_capacity(self.size);
            }
            let room = self.size - self.buffer.len();
            let some = bytes.split_to(room.min(bytes.len()));
            self.buffer.extend_from_slice(&some);
            if self.buffer.len() == self.size {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Number of parts that the store has confirmed since the start of this value, in order and without a gap.
    pub fn confirmed(&self) -> usize {
        self.done.len()
    }

    /// Waits until the store has confirmed all sent parts.
    pub async fn settle(&mut self) -> Result<(), StoreError> {
        while !self.in_flight.is_empty() {
            self.collect().await?;
        }
        Ok(())
    }

    /// Takes the bytes that do not fill a part and were not sent.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.buffer).freeze()
    }

    /// Sends the rest as the last part and returns all parts. An upload needs at least one part, even an empty one.
    pub async fn finish(&mut self) -> Result<Vec<CompletedPart>, StoreError> {
        if !self.buffer.is_empty() || self.next == 1 {
            self.send().await?;
        }
        self.settle().await?;
        Ok(std::mem::take(&mut self.done))
    }

    /// Stops sending.
    pub(super) fn abort(&mut self) {
        self.in_flight.abort_all();
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        while self.in_flight.len() >= IN_FLIGHT {
            self.collect().await?;
        }
        let number = self.next;
        self.next += 1;
        let request = self
            .store
            .client
            .upload_part()
            .bucket(&self.store.bucket)
            .key(&self.key)
            .upload_id(&self.upload_id)
            .part_number(number)
            .body(self.rest().into());
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

    async fn collect(&mut self) -> Result<(), StoreError> {
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
}
