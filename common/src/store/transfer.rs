//! Upload and download of whole files, with their hash.

use super::{
    client::Store,
    error::{StoreError, refused},
    multipart::Multipart,
    objects::Stored,
};
use aws_sdk_s3::primitives::ByteStream;
use bytes::BytesMut;
use sha2::{Digest, Sha256};
use std::path::Path;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
};
use vidp_contract::hex;

/// Files above this size in bytes are sent in parts.
const SINGLE_PUT: u64 = 16 << 20;
/// Attempts of a download. The SDK retries requests, but not a body that ends early.
const DOWNLOAD_TRIES: u32 = 3;
/// Bytes read from the file at once.
const BLOCK: usize = 256 << 10;

impl Store {
    /// Stores a file and checks the size of the stored object.
    pub async fn upload(&self, key: &str, path: &Path, content_type: &str) -> Result<Stored, StoreError> {
        let in_file = |error| file_error(path, error);
        let mut file = File::open(path).await.map_err(in_file)?;
        let size = file.metadata().await.map_err(in_file)?.len();
        let stored = if size <= SINGLE_PUT {
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            file.read_to_end(&mut bytes).await.map_err(in_file)?;
            let stored = Stored {
                size: bytes.len() as u64,
                sha256: hex(&Sha256::digest(&bytes)),
            };
            self.client
                .put_object()
                .bucket(&self.bucket)
                .key(key)
                .content_type(content_type)
                .body(ByteStream::from(bytes))
                .send()
                .await
                .map_err(refused("put", key))?;
            stored
        } else {
            let mut upload = Multipart::start(self, key, content_type, size).await?;
            let mut buffer = BytesMut::new();
            loop {
                buffer.reserve(BLOCK);
                if file.read_buf(&mut buffer).await.map_err(in_file)? == 0 {
                    break upload.complete().await?;
                }
                upload.write(buffer.split().freeze()).await?;
            }
        };
        match self.size(key).await? {
            Some(size) if size == stored.size => Ok(stored),
            found => Err(StoreError::Corrupt {
                key: key.to_owned(),
                detail: format!("{} bytes sent, {found:?} stored", stored.size),
            }),
        }
    }

    /// Downloads an object to a new file and checks its size and SHA-256.
    pub async fn download(&self, key: &str, path: &Path, size: u64, sha256: &str) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            match self.download_once(key, path, size, sha256).await {
                Err(StoreError::Refused { .. } | StoreError::Corrupt { .. }) if tries < DOWNLOAD_TRIES => {
                    tries += 1
                }
                ended => return ended,
            }
        }
    }

    async fn download_once(&self, key: &str, path: &Path, size: u64, sha256: &str) -> Result<(), StoreError> {
        let in_file = |error| file_error(path, error);
        let mut body = self.get(key, None).await?.body;
        let mut file = File::create(path).await.map_err(in_file)?;
        let (mut hash, mut found) = (Sha256::new(), 0);
        let copied = async {
            while let Some(bytes) = body.next().await {
                let bytes = bytes.map_err(|error| StoreError::Refused {
                    what: "get",
                    key: key.to_owned(),
                    detail: error.to_string(),
                })?;
                hash.update(&bytes);
                found += bytes.len() as u64;
                file.write_all(&bytes).await.map_err(in_file)?;
            }
            Ok(())
        }
        .await;
        // tokio writes in the background. After an error, a write that is still in progress must not reach the file of
        // the next try.
        let flushed = file.flush().await.map_err(in_file);
        copied.and(flushed)?;
        let hash = hex(&hash.finalize());
        if found != size || hash != sha256 {
            return Err(StoreError::Corrupt {
                key: key.to_owned(),
                detail: format!("expected {size} bytes with SHA-256 {sha256}, found {found} with {hash}"),
            });
        }
        Ok(())
    }
}

fn file_error(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::File {
        path: path.display().to_string(),
        error,
    }
}
