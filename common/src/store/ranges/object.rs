use super::blocks::Blocks;
use crate::store::{client::Store, error::StoreError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use parking_lot::Mutex;
use std::sync::atomic::AtomicU64;

/// The object that is served.
pub(super) struct Object {
    pub(super) store: Store,
    pub(super) key: String,
    pub(super) size: u64,
    /// Path of the object's URL, which other programs of this machine cannot guess.
    pub(super) path: String,
    /// Entity tag of the first response: all ranges must be of the same bytes.
    pub(super) tag: Mutex<Option<String>>,
    /// The hashes of its blocks, if they are known.
    pub(super) blocks: Option<Blocks>,
    /// Bytes that were passed on; with hashes, those of the blocks that were compared for them.
    pub(super) bytes_read: AtomicU64,
    /// The first failure.
    pub(super) failure: Mutex<Option<StoreError>>,
}

impl Object {
    /// Keeps the first failure for the caller.
    pub(super) fn fail(&self, error: StoreError) {
        self.failure.lock().get_or_insert(error);
    }

    /// Checks that a response has the expected range of the expected object.
    pub(super) fn check_same(&self, response: &GetObjectOutput, start: u64) -> Result<(), StoreError> {
        let expected = (format!("bytes {start}-"), format!("/{}", self.size));
        let correct = match response.content_range() {
            Some(stated) => stated.starts_with(&expected.0) && stated.ends_with(&expected.1),
            // A server may answer a range of everything with the object and status 200.
            None => {
                start == 0
                    && response
                        .content_length()
                        .and_then(|length| length.try_into().ok())
                        == Some(self.size)
            }
        };
        if !correct {
            let stated = response.content_range();
            return Err(self.corrupt(&format!(
                "expected a range from {start} of {} bytes, got {stated:?}",
                self.size
            )));
        }
        let tag = response.e_tag().map(str::to_owned);
        let mut first = self.tag.lock();
        if first.is_some() && *first != tag {
            return Err(self.corrupt("the object was replaced while it was read"));
        }
        *first = tag;
        Ok(())
    }

    /// A failure that may pass.
    pub(super) fn error(&self, detail: &str) -> StoreError {
        StoreError::Refused {
            what: "get",
            key: self.key.clone(),
            detail: detail.to_owned(),
        }
    }

    /// A difference from the object that was stored.
    pub(super) fn corrupt(&self, detail: &str) -> StoreError {
        StoreError::Corrupt {
            key: self.key.clone(),
            detail: detail.to_owned(),
        }
    }
}
