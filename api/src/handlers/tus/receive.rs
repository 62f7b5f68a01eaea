//! `PATCH /files/{id}`: more bytes. Each whole part is recorded as soon as the store has it; what is left at the end, or
//! when the connection breaks, is stored as the tail.

use super::{checksum::Checksum, headers};
use crate::{
    auth::Caller,
    http::{
        body,
        extract::Owned,
        pace::{Pace, timely},
        problem::{Code, Problem},
    },
    openapi::Binary,
    state::Intake,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use tracing::Instrument;
use vidp_common::{crash, store::Parts};
use vidp_contract::keys;
use vidp_pipeline::{part_hashes::PartHasher, removal, resumables};
use vidp_record::{
    resumable::{Kind, Resumable, UploadState},
    time::{DateTime, later},
};

/// Of a body that goes on where another one ended.
pub const CONTENT_TYPE: &str = "application/offset+octet-stream";

/// Send more of an upload.
///
/// The bytes from `Upload-Offset` on, as many as the client likes. What has come when the connection breaks is kept.
#[utoipa::path(
    patch, path = "", operation_id = "appendTusUpload", tag = "Uploads",
    params(
        ("id" = String, Path, description = "The upload.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Tus-Resumable" = String, Header, description = "The protocol's version.", example = "1.0.0"),
        ("Upload-Offset" = u64, Header, description = "Where the body begins: what HEAD says.", example = 0),
        ("Upload-Checksum" = Option<String>, Header, description = "Of the body: `sha1` or `sha256`, and the value in base64. \
            With it, all of the body is kept or nothing.", example = "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="),
    ),
    request_body(content((Binary = "application/offset+octet-stream", example = json!("the bytes")))),
    responses((status = 204, description = "They are stored.", headers(
        ("Upload-Offset" = u64, description = "Bytes that the server has now."),
        ("Upload-Expires" = Option<String>, description = "When it is given up unless more comes."),
    ))),
    extensions(("x-problems" = json!(["not_found", "offset_mismatch", "unsupported_version", "unsupported_content_type",
        "final_upload", "checksum_mismatch", "too_many_uploads", "quota_exceeded"]))),
)]
pub async fn append(
    State(intake): State<Intake>,
    caller: Caller,
    Owned(upload): Owned<Resumable>,
    request: Request,
) -> Result<Response, Problem> {
    if let Kind::Final { .. } = upload.kind {
        return Err(Problem::new(
            Code::FinalUpload,
            "nothing can be added to a final upload",
        ));
    }
    if body::content_type(request.headers()) != CONTENT_TYPE {
        return Err(wrong_type());
    }
    let offset = headers::bytes(request.headers(), &headers::OFFSET)?;
    let offset = offset.ok_or_else(|| Problem::invalid("Upload-Offset is missing: where the body begins"))?;
    let checksum = Checksum::of(request.headers())?;
    let _permit = intake.limits.upload(&intake.pipeline.db, &caller).await?;
    let append = Append::claim(&intake, &upload, offset, checksum).await?;
    let upload = append.receive(request.into_body()).await?;
    let mut fields = HeaderMap::new();
    headers::set(&mut fields, headers::OFFSET, upload.offset);
    headers::set_expiry(&mut fields, &upload);
    Ok((StatusCode::NO_CONTENT, fields).into_response())
}

/// 415: the body says nothing of where it goes.
pub fn wrong_type() -> Problem {
    Problem::new(
        Code::UnsupportedContentType,
        format!("send the bytes as {CONTENT_TYPE}"),
    )
}

/// One request that appends.
pub struct Append {
    intake: Intake,
    upload: Resumable,
    parts: Parts,
    /// Whole parts before this request.
    before: i64,
    /// The offset at which this request began.
    began: i64,
    checksum: Option<Checksum>,
    /// Of the bytes as they come, from the last whole part on.
    hasher: PartHasher,
    /// Hashes of it that are recorded.
    recorded: usize,
}

impl Append {
    /// From now on this request appends, and one before it does no more. 409 when the upload has another offset.
    pub async fn claim(
        intake: &Intake,
        upload: &Resumable,
        offset: i64,
        checksum: Option<Checksum>,
    ) -> Result<Append, Problem> {
        let claimed = intake.pipeline.db.claim_resumable(upload.id, offset).await?;
        let upload = claimed.ok_or_else(|| match upload.state {
            UploadState::Open => mismatch("the upload has another offset than that: ask for it by HEAD"),
            _ => mismatch("the upload is complete"),
        })?;
        let (before, tail) = upload.parts_and_tail();
        let key = keys::source(upload.id);
        let first = i32::try_from(before).map_err(Problem::internal)?;
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
                // It may have changed on the way: the client asks again.
                return Err(Problem::unavailable(
                    "the object store",
                    format!("{key} is not what was stored"),
                ));
            }
            parts.write(bytes.into()).await?;
        }
        Ok(Append {
            intake: intake.clone(),
            began: upload.offset,
            parts,
            before,
            checksum,
            hasher,
            recorded: 0,
            upload,
        })
    }

    /// Takes the body, in a task of its own: what came is stored even when the client has hung up.
    pub async fn receive(self, body: Body) -> Result<Resumable, Problem> {
        let work = self.intake.pipeline.tasks.clone();
        let received = work.spawn(self.all(body).in_current_span());
        received.await.map_err(Problem::internal)?
    }

    async fn all(mut self, body: Body) -> Result<Resumable, Problem> {
        let (came, ended) = self.stream(body).await;
        // Clients go on after a 409, and give up after a 408.
        let ended = ended.map_err(|problem| match problem.code() {
            Code::TooSlow => mismatch(
                "the body came in too slowly: ask by HEAD how far the upload has come, and go on there",
            ),
            _ => problem,
        });
        // A checksum is of the whole body: without its end nothing can be said of it.
        match (self.checksum.take(), &ended) {
            (Some(checksum), Ok(())) => checksum.check()?,
            (Some(_), Err(problem)) => return Err(problem.clone()),
            (None, _) => {}
        }
        self.store_rest(came).await?;
        ended?;
        if self.upload.state == UploadState::Complete {
            resumables::finish(&self.intake.pipeline, &self.upload).await;
        }
        Ok(self.upload)
    }

    /// Sends the body's bytes on, and records parts that are whole; gives the offset that was reached, and why not more.
    async fn stream(&mut self, body: Body) -> (i64, Result<(), Problem>) {
        let (mut came, mut pace) = (
            self.began,
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
                Ok(None) => return (came, Ok(())),
                Err(problem) => return (came, Err(problem)),
            };
            let length = bytes.len() as i64;
            if came + length > self.upload.size {
                let problem = Problem::invalid("the body is longer than what is missing of the upload");
                return (came, Err(problem));
            }
            if let Err(problem) = pace.record(bytes.len()) {
                return (came, Err(problem));
            }
            if let Some(checksum) = &mut self.checksum {
                checksum.update(&bytes);
            }
            self.hasher.update(&bytes);
            let written = self.parts.write(bytes).await.map_err(Problem::from);
            came += length;
            let recorded = match written {
                Ok(()) if self.checksum.is_none() => self.record_parts().await,
                written => written,
            };
            if let Err(problem) = recorded {
                // The part that failed is lost, and with it what came after the last one that is recorded.
                return (self.upload.offset, Err(problem));
            }
        }
    }

    async fn record_parts(&mut self) -> Result<(), Problem> {
        let whole = (self.before + self.parts.confirmed() as i64) * self.upload.part_size;
        match whole > self.upload.offset {
            true => self.advance(whole).await,
            false => Ok(()),
        }
    }

    /// Stores what is not in a part yet.
    async fn store_rest(&mut self, came: i64) -> Result<(), Problem> {
        if came == self.upload.offset {
            return Ok(());
        }
        if came == self.upload.size {
            self.parts.finish().await?;
        } else {
            self.parts.settle().await?;
            let rest = self.parts.rest();
            if !rest.is_empty() {
                self.intake
                    .pipeline
                    .store
                    .put(&self.upload.tail_key(came), rest)
                    .await?;
                crash::step("resumable.tail-stored");
            }
        }
        self.advance(came).await?;
        if self.began % self.upload.part_size > 0 {
            // The old tail. It is removed at the end in any case.
            let _ = self
                .intake
                .pipeline
                .store
                .delete(&self.upload.tail_key(self.began))
                .await;
        }
        Ok(())
    }

    async fn advance(&mut self, offset: i64) -> Result<(), Problem> {
        let now = DateTime::now();
        let mut upload = self.upload.clone();
        let known = usize::try_from(offset / upload.part_size - self.before).unwrap_or(0);
        let mut hashes = self.hasher.done()[self.recorded..known].to_vec();
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
            // The sweeper's, should this process not come to it.
            upload.finish_at = Some(later(now, self.intake.pipeline.times().stale));
        }
        if self.intake.pipeline.db.advance_resumable(&upload, hashes).await? {
            crash::step("resumable.advanced");
            self.upload = upload;
            self.recorded = known;
            return Ok(());
        }
        // Given up meanwhile: what this request has stored since then belongs to nobody.
        if let Ok(None) = self.intake.pipeline.db.find_resumable(self.upload.id).await
            && let Err(error) = removal::delete_upload(&self.intake.pipeline, self.upload.id).await
        {
            tracing::warn!(upload = %self.upload.id, "bytes of an upload that was given up remain: {error:#}");
        }
        Err(mismatch(
            "another request appends to this upload, or it was given up",
        ))
    }
}

fn mismatch(detail: &str) -> Problem {
    Problem::new(Code::OffsetMismatch, detail)
}
