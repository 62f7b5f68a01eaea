//! The bytes of one range, from as many responses of the store as are necessary.

use super::object::Object;
use crate::store::error::{StoreError, refused};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::stream::{self as streams, Stream};
use std::{
    io,
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Time limit for the head of a response and for each of its blocks. With [`MAX_FAILURES`] it stays below the time limit
/// of a child, whose end would hide the store's failure.
const READ_TIMEOUT: Duration = Duration::from_secs(12);
/// Failures in a row, without a byte between them, after which a range fails.
const MAX_FAILURES: u32 = 3;
/// Pause after a failure.
const PAUSE: Duration = Duration::from_millis(300);

/// Largest block that is passed on at once: blocks of the store have up to 400 KB, of which the child may want a part.
const MAX_BLOCK: usize = 16 << 10;

/// A response that is being read.
pub(super) struct Connection {
    object: Arc<Object>,
    body: ByteStream,
    /// Bytes that the store sent and that are not passed on yet.
    block: Bytes,
    /// The bytes that are still missing.
    rest: Range<u64>,
    failures: u32,
}

impl Connection {
    /// Requests the range from the store.
    pub(super) async fn open(object: Arc<Object>, range: Range<u64>) -> Result<Connection, StoreError> {
        let mut connection = Connection {
            object,
            body: ByteStream::default(),
            block: Bytes::new(),
            rest: range,
            failures: 0,
        };
        if !connection.rest.is_empty() {
            while let Err(error) = connection.request().await {
                connection.may_retry(error).await?;
            }
        }
        Ok(connection)
    }

    /// Requests the missing bytes.
    async fn request(&mut self) -> Result<(), StoreError> {
        let object = &self.object;
        let request = object
            .store
            .client
            .get_object()
            .bucket(&object.store.bucket)
            .key(&object.key)
            .range(format!("bytes={}-{}", self.rest.start, self.rest.end - 1))
            .send();
        let response = timeout(READ_TIMEOUT, request)
            .await
            .map_err(|_| object.error("no answer"))?
            .map_err(refused("get", &object.key))?;
        object.check_same(&response, self.rest.start)?;
        self.body = response.body;
        Ok(())
    }

    /// The next block; `None` at the end of the range.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while !self.rest.is_empty() {
            if !self.block.is_empty() {
                let block = self.block.split_to(self.block.len().min(MAX_BLOCK));
                let length = block.len() as u64;
                self.rest.start += length;
                self.object.bytes_read.fetch_add(length, Ordering::Relaxed);
                return Ok(Some(block));
            }
            let error = match timeout(READ_TIMEOUT, self.body.next()).await {
                Ok(Some(Ok(block))) if block.len() as u64 <= self.rest.end - self.rest.start => {
                    self.failures = 0;
                    self.block = block;
                    continue;
                }
                Ok(Some(Ok(_))) => return Err(self.object.corrupt("a range is longer than requested")),
                Ok(Some(Err(error))) => self.object.error(&error.to_string()),
                Ok(None) => self.object.error("the response ended early"),
                Err(_) => self.object.error("no data"),
            };
            self.may_retry(error).await?;
            while let Err(error) = self.request().await {
                self.may_retry(error).await?;
            }
        }
        Ok(None)
    }

    /// Waits before another try, or fails: for ever when the object is missing or another one.
    async fn may_retry(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.failures += 1;
        if self.failures >= MAX_FAILURES || !matches!(error, StoreError::Refused { .. }) {
            return Err(error);
        }
        tracing::debug!(%error, "a range was cut; requesting the rest");
        sleep(PAUSE).await;
        Ok(())
    }
}

/// The blocks of the range. A failure is kept for the worker, and the child's connection breaks.
pub(super) fn stream(connection: Connection) -> impl Stream<Item = io::Result<Bytes>> {
    streams::try_unfold(connection, async |mut connection| match connection.next().await {
        Ok(block) => Ok(block.map(|block| (block, connection))),
        Err(error) => {
            let cause = io::Error::other(error.to_string());
            connection.object.fail(error);
            Err(cause)
        }
    })
}
