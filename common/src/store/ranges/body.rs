//! The bytes of one range, from as many responses of the store as are necessary.

use super::{blocks::Blocks, object::Object};
use crate::store::error::{StoreError, refused};
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
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
    /// The bytes that the store has still to send. With hashes these are whole blocks.
    missing: Range<u64>,
    /// Bytes that the store sent and that are not checked yet.
    unchecked: BytesMut,
    /// Checked bytes that are not passed on yet.
    block: Bytes,
    /// The bytes that the child still wants.
    rest: Range<u64>,
    failures: u32,
}

impl Connection {
    /// Requests the range from the store.
    pub(super) async fn open(object: Arc<Object>, range: Range<u64>) -> Result<Connection, StoreError> {
        let mut connection = Connection {
            object,
            body: ByteStream::default(),
            missing: range.clone(),
            unchecked: BytesMut::new(),
            block: Bytes::new(),
            rest: range,
            failures: 0,
        };
        connection.widen();
        if !connection.rest.is_empty() {
            while let Err(error) = connection.request().await {
                connection.may_retry(error).await?;
            }
        }
        Ok(connection)
    }

    /// Extends the missing bytes to whole blocks, if there are hashes.
    fn widen(&mut self) {
        let (missing, size) = (&mut self.missing, self.object.size);
        if self.object.blocks.is_some() && !missing.is_empty() {
            missing.start = Blocks::around(missing.start, size).start;
            missing.end = Blocks::around(missing.end - 1, size).end;
        }
    }

    /// Requests the missing bytes.
    async fn request(&mut self) -> Result<(), StoreError> {
        self.unchecked.clear();
        let object = &self.object;
        let request = object
            .store
            .client
            .get_object()
            .bucket(&object.store.bucket)
            .key(&object.key)
            .range(format!("bytes={}-{}", self.missing.start, self.missing.end - 1))
            .send();
        let response = timeout(READ_TIMEOUT, request)
            .await
            .map_err(|_| object.error("no answer"))?
            .map_err(refused("get", &object.key))?;
        object.check_same(&response, self.missing.start)?;
        self.body = response.body;
        Ok(())
    }

    /// The next bytes; `None` at the end of the range.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while !self.rest.is_empty() {
            if !self.block.is_empty() {
                let block = self.block.split_to(self.block.len().min(MAX_BLOCK));
                let length = block.len() as u64;
                self.rest.start += length;
                if self.object.blocks.is_none() {
                    self.object.bytes_read.fetch_add(length, Ordering::Relaxed);
                }
                return Ok(Some(block));
            }
            let error = match timeout(READ_TIMEOUT, self.body.next()).await {
                Ok(Some(Ok(bytes))) => match self.receive(bytes) {
                    Ok(()) => continue,
                    Err(error) => error,
                },
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

    /// Takes bytes from the store: at once without hashes, otherwise each block when it is complete and right.
    fn receive(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let (object, missing) = (&self.object, &mut self.missing);
        if (self.unchecked.len() + bytes.len()) as u64 > missing.end - missing.start {
            return Err(object.corrupt("a range is longer than requested"));
        }
        let Some(blocks) = &object.blocks else {
            (self.failures, missing.start) = (0, missing.start + bytes.len() as u64);
            self.block = bytes;
            return Ok(());
        };
        object.bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.unchecked.extend_from_slice(&bytes);
        let mut checked = BytesMut::new();
        while !missing.is_empty() {
            let length = (Blocks::around(missing.start, object.size).end - missing.start) as usize;
            if self.unchecked.len() < length {
                break;
            }
            if !blocks.is_block(missing.start, &self.unchecked[..length]) {
                if checked.is_empty() {
                    // The network or the store may have changed a bit.
                    return Err(object.error("a block differs from the one that was uploaded"));
                }
                // The blocks before it are passed on first.
                break;
            }
            (self.failures, missing.start) = (0, missing.start + length as u64);
            checked.unsplit(self.unchecked.split_to(length));
        }
        if !checked.is_empty() {
            // The child may want only the middle of the blocks.
            let start = missing.start - checked.len() as u64;
            let end = (self.rest.end - start).min(checked.len() as u64);
            self.block = checked
                .freeze()
                .slice((self.rest.start - start) as usize..end as usize);
        }
        Ok(())
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
