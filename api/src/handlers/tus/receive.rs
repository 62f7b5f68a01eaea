//! Receives the bytes of one request. Each complete part is recorded as soon as the object store has it; the remaining
//! bytes are stored as the tail, at the end of the body or when the connection breaks.

use super::checksum::Checksum;
use crate::{
    http::{
        pace::{Pace, timely},
        problem::{Code, Problem},
    },
    state::Intake,
};
use axum::body::Body;
use futures_util::StreamExt;
use tracing::Instrument;
use vidp_common::{crash, store::Parts};
use vidp_contract::keys;
use vidp_pipeline::{part_hashes::PartHasher, removal, resumables};
use vidp_record::{
    resumable::{Resumable, UploadState},
    time::{DateTime, later},
};

/// One request that appends to an upload.
pub(super) struct Append {
    intake: Intake,
    upload: Resumable,
    parts: Parts,
    /// Complete parts before this request.
    parts_before: i64,
    /// Offset in bytes at which this request started.
    start: i64,
    checksum: Option<Checksum>,
    /// Hashes the bytes of each part, starting after the last complete part.
    hasher: PartHasher,
    /// Number of this hasher's part hashes that are recorded.
    recorded: usize,
}

impl Append {
    /// Claims the upload for this request; an earlier request can no longer append. 409 when the upload has another offset.
    pub(super) async fn claim(
        intake: &Intake,
        upload: &Resumable,
        offset: i64,
        checksum: Option<Checksum>,
    ) -> Result<Append, Problem> {
        let claimed = intake.pipeline.db.claim_resumable(upload.id, offset).await?;
        let upload = claimed.ok_or_else(|| match upload.state {
            UploadState::Open => mismatch(
                "Upload-Offset is not the offset of the upload: get the offset with HEAD and resume there",
            ),
            _ => mismatch("the upload is already complete"),
        })?;
        let (parts_before, tail) = upload.parts_and_tail();
        let key = keys::source(upload.id);
        let first = i32::try_from(parts_before).map_err(Problem::internal)?;
        let mut parts = Parts::after(
            first,
            &intake.pipeline.store,
            &key,
            &upload.upload_id,
            upload.part_size.cast_unsigned(),
        );
        let mut hasher = PartHasher::new(upload.part_size);
        if tail > 0 {
            let key = upload.tail_key(upload.offset);
            let bytes = intake.pipeline.store.read(&key).await?.unwrap_or_default();
            hasher.update(&bytes);
            if hasher.rest() != upload.tail_sha256 {
                // The bytes may have been damaged in transit, so the client may try again.
                return Err(Problem::unavailable(
                    "the object store",
                    format!("the hash of {key} differs from the recorded one"),
                ));
            }
            parts.write(bytes.into()).await?;
        }
        Ok(Append {
            intake: intake.clone(),
            start: upload.offset,
            parts,
            parts_before,
            checksum,
            hasher,
            recorded: 0,
            upload,
        })
    }

    /// Receives the body in a separate task, which stores the received bytes even when the client disconnects.
    pub(super) async fn receive(self, body: Body) -> Result<Resumable, Problem> {
        let tasks = self.intake.pipeline.tasks.clone();
        let received = tasks.spawn(self.run(body).in_current_span());
        received.await.map_err(Problem::internal)?
    }

    async fn run(mut self, body: Body) -> Result<Resumable, Problem> {
        let (reached, ended) = self.stream(body).await;
        // tus clients resume after a 409 and stop after a 408.
        let ended = ended.map_err(|problem| match problem.code() {
            Code::TooSlow => {
                mismatch("the body arrived too slowly: get the offset with HEAD and resume there")
            }
            _ => problem,
        });
        // The checksum covers the complete body, so an incomplete body cannot be verified.
        match (self.checksum.take(), &ended) {
            (Some(checksum), Ok(())) => checksum.check()?,
            (Some(_), Err(problem)) => return Err(problem.clone()),
            (None, _) => {}
        }
        self.store_rest(reached).await?;
        ended?;
        if self.upload.state == UploadState::Complete {
            resumables::finish(&self.intake.pipeline, &self.upload).await;
        }
        Ok(self.upload)
    }

    /// Writes the body to the object store and records complete parts. Returns the offset that can be stored, and the
    /// problem that ended the body early.
    async fn stream(&mut self, body: Body) -> (i64, Result<(), Problem>) {
        let (mut reached, mut pace) = (
            self.start,
            Pace::start(self.intake.config.min_upload_kib_per_second),
        );
        let mut body = body.into_data_stream();
        let shutdown = self.intake.pipeline.shutdown.clone();
        loop {
            let next = tokio::select! {
                next = timely(async { body.next().await.transpose() }) => next,
                () = shutdown.cancelled() => Err(Problem::unavailable("this server", "it is shutting down")),
            };
            let bytes = match next {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return (reached, Ok(())),
                Err(problem) => return (reached, Err(problem)),
            };
            let length = bytes.len() as i64;
            if reached + length > self.upload.size {
                let problem = Problem::invalid("the body is longer than the rest of the upload");
                return (reached, Err(problem));
            }
            if let Err(problem) = pace.record(bytes.len()) {
                return (reached, Err(problem));
            }
            if let Some(checksum) = &mut self.checksum {
                checksum.update(&bytes);
            }
            self.hasher.update(&bytes);
            let written = self.parts.write(bytes).await.map_err(Problem::from);
            reached += length;
            let recorded = match written {
                Ok(()) if self.checksum.is_none() => self.record_parts().await,
                written => written,
            };
            if let Err(problem) = recorded {
                // The failed part is lost, and with it every byte after the last recorded part.
                return (self.upload.offset, Err(problem));
            }
        }
    }

    /// Records the parts that the object store has confirmed.
    async fn record_parts(&mut self) -> Result<(), Problem> {
        let confirmed = (self.parts_before + self.parts.confirmed() as i64) * self.upload.part_size;
        match confirmed > self.upload.offset {
            true => self.advance(confirmed).await,
            false => Ok(()),
        }
    }

    /// Stores the bytes up to the offset `reached` that are not in a recorded part, as the last part or as the tail.
    async fn store_rest(&mut self, reached: i64) -> Result<(), Problem> {
        if reached == self.upload.offset {
            return Ok(());
        }
        if reached == self.upload.size {
            self.parts.finish().await?;
        } else {
            self.parts.settle().await?;
            let rest = self.parts.rest();
            if !rest.is_empty() {
                self.intake
                    .pipeline
                    .store
                    .put(&self.upload.tail_key(reached), rest)
                    .await?;
                crash::step("resumable.tail-stored");
            }
        }
        self.advance(reached).await?;
        if self.start % self.upload.part_size > 0 {
            // The previous tail is obsolete. If this deletion fails, the end of the upload removes it.
            let _ = self
                .intake
                .pipeline
                .store
                .delete(&self.upload.tail_key(self.start))
                .await;
        }
        Ok(())
    }

    /// Records the offset and the hashes of the parts up to it. 409 when another request has claimed the upload, or when
    /// it was deleted.
    async fn advance(&mut self, offset: i64) -> Result<(), Problem> {
        let now = DateTime::now();
        let mut upload = self.upload.clone();
        let complete = usize::try_from(offset / upload.part_size - self.parts_before).unwrap_or(0);
        let mut hashes = self.hasher.done()[self.recorded..complete].to_vec();
        upload.tail_sha256 = (offset % upload.part_size > 0)
            .then(|| self.hasher.rest())
            .flatten();
        if offset == upload.size {
            hashes.extend(upload.tail_sha256.take());
        }
        upload.hashes.extend(hashes.iter().cloned());
        upload.offset = offset;
        upload.expires_at = later(now, self.intake.config.direct_upload());
        if offset == upload.size {
            upload.state = UploadState::Complete;
            // The sweeper finishes the upload after this time if this process dies first.
            upload.finish_at = Some(later(now, self.intake.pipeline.times().stale));
        }
        if self.intake.pipeline.db.advance_resumable(&upload, hashes).await? {
            crash::step("resumable.advanced");
            self.upload = upload;
            self.recorded = complete;
            return Ok(());
        }
        // The upload was deleted during this request: remove the bytes that were stored since then.
        if let Ok(None) = self.intake.pipeline.db.find_resumable(self.upload.id).await
            && let Err(error) = removal::delete_upload(&self.intake.pipeline, self.upload.id).await
        {
            tracing::warn!(upload = %self.upload.id, "bytes of a deleted upload could not be removed: {error:#}");
        }
        Err(mismatch(
            "another request appends to the upload, or the upload was deleted",
        ))
    }
}

/// 409: the offset of the upload is another one.
fn mismatch(detail: &str) -> Problem {
    Problem::new(Code::OffsetMismatch, detail)
}
