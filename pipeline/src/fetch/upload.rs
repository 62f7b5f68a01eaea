//! Sources that the client has uploaded to the object store.

use super::store::{is_wanted, not_stored, store, too_large};
use crate::{Pipeline, part_hashes::Check};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::try_unfold};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use vidp_common::store::Store;
use vidp_contract::{FailureCode, hex, keys};
use vidp_record::{
    job::Job,
    plan::fetch::Failed,
    source::{Pieces, SourceState},
};

/// Reads a source that is already at the job's key, for its hash. Stops as soon as it is larger than it may be.
pub(super) async fn in_place(pipeline: &Pipeline, job: &Job) -> Result<SourceState, Failed> {
    let (announced, max) = (
        job.source.size.max(0).cast_unsigned(),
        pipeline.settings.max_source(),
    );
    let mut bytes = Box::pin(read(pipeline.store.clone(), job.id, job.source.parts.first().cloned()).await?);
    let (mut hash, mut size) = (Sha256::new(), 0);
    while let Some(piece) = bytes.try_next().await? {
        hash.update(&piece);
        size += piece.len() as u64;
        if size > max {
            return Err(too_large(pipeline));
        }
    }
    if announced > 0 && announced != size {
        let detail = format!("the source has {size} bytes, not {announced} as announced");
        return Err(Failed::permanent(FailureCode::SourceCorrupt, detail));
    }
    let source = SourceState {
        parts: Vec::new(),
        size: size.cast_signed(),
        sha256: hex(&hash.finalize()),
        ..job.source.clone()
    };
    is_wanted(job, &source.sha256)?;
    Ok(source)
}

/// Streams the bytes of an upload. Fails when they differ from the hashes of the upload's parts.
async fn read(
    from: Store,
    id: Uuid,
    pieces: Option<Pieces>,
) -> Result<impl Stream<Item = Result<Bytes, Failed>>, Failed> {
    let object = from.get(&keys::source(id), None).await.map_err(not_stored)?;
    let bytes = tokio_util::io::ReaderStream::new(object.body.into_async_read());
    let bytes = bytes.map_err(|error| Failed::transient(format!("the transfer was interrupted: {error}")));
    let changed = || Failed::transient("the stored upload differs from the bytes that the client sent");
    let state = (Box::pin(bytes), pieces.as_ref().map(Check::new));
    Ok(try_unfold(state, move |(mut bytes, mut check)| async move {
        let piece = bytes.try_next().await?;
        let same = match (&piece, &mut check) {
            (_, None) => true,
            (Some(piece), Some(check)) => check.update(piece),
            (None, Some(check)) => check.ends(),
        };
        match same {
            true => Ok(piece.map(|piece| (piece, (bytes, check)))),
            false => Err(changed()),
        }
    }))
}

/// Concatenates partial uploads.
pub(super) async fn joined(pipeline: &Pipeline, job: &Job) -> Result<SourceState, Failed> {
    let objects = futures_util::stream::iter(job.source.parts.clone()).then(|pieces| {
        let from = pipeline.store.clone();
        async move {
            let id = pieces.upload.parse().map_err(Failed::transient)?;
            read(from, id, Some(pieces)).await
        }
    });
    let size = job.source.size.cast_unsigned();
    let mut source = store(pipeline, job, None, Some(size), objects.try_flatten()).await?;
    source.parts.clear();
    Ok(source)
}
