//! One copy: from where the reference leads to the job's place in the bucket, bounded in size and time.

use crate::{
    app::App,
    job::{Job, SourceState},
    outbound,
    reference::Reference,
    tus::pieces::{Check, Pieces},
    upload::plain_type,
};
use axum::body::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::try_unfold};
use ipnet::IpNet;
use reqwest::{Client, StatusCode, Url, header};
use sha2::{Digest, Sha256};
use std::{pin::pin, time::Duration};
use tokio::time::timeout;
use uuid::Uuid;
use vidp_common::store::{Multipart, Store, StoreError};
use vidp_contract::{FailureCode, hex, keys};

/// Without a byte for so long a transfer is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// A whole transfer.
const TIME: Duration = Duration::from_secs(3600);

/// What fetches URLs: made once, for it reads the roots of trust.
pub fn client(allowed: &[IpNet]) -> reqwest::Result<Client> {
    let client = outbound::client(allowed).redirect(outbound::redirects(allowed));
    client.read_timeout(SILENCE).build()
}

/// Why a source did not come.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It will not come another time either.
    #[error("{detail}")]
    Final {
        /// Of the stages.
        code: FailureCode,
        /// A sentence for people.
        detail: String,
    },
    /// It may come another time.
    #[error("{0}")]
    Passing(String),
}

impl Failed {
    fn last(code: FailureCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Failed::Final { code, detail }
    }

    /// It may come another time.
    pub fn passing(why: impl std::fmt::Display) -> Self {
        Failed::Passing(why.to_string())
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { key } => {
                Failed::last(FailureCode::SourceMissing, format!("there is no object {key}"))
            }
            error => Failed::Passing(error.to_string()),
        }
    }
}

/// Copies the source; gives what is to be recorded of it.
pub async fn copy(app: &App, web: &Client, job: &Job) -> Result<SourceState, Failed> {
    let copied = async {
        let Some(from) = &job.source.reference else {
            return match job.is_in_place() {
                true => in_place(app, job).await,
                false => joined(app, job).await,
            };
        };
        match from {
            Reference::Object { bucket, key } => {
                let object = app.store.beside(bucket).get(key, None).await?;
                let (kind, size) = (object.content_type().map(str::to_owned), object.content_length());
                let body = tokio_util::io::ReaderStream::new(object.body.into_async_read());
                store(app, job, kind, size.and_then(|size| size.try_into().ok()), body).await
            }
            Reference::Url { url } => {
                let answer = request(app, web, url).await?;
                let kind = answer.headers().get(header::CONTENT_TYPE);
                let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
                let size = answer.content_length();
                store(app, job, kind, size, answer.bytes_stream()).await
            }
        }
    };
    timeout(TIME, copied).await.unwrap_or_else(|_| {
        Err(Failed::last(
            FailureCode::TimedOut,
            "the source took longer than an hour to fetch",
        ))
    })
}

/// The client has sent it to its place: it is only read, for its hash.
async fn in_place(app: &App, job: &Job) -> Result<SourceState, Failed> {
    let mut bytes = Box::pin(read(app.store.clone(), job.id, job.source.parts.first().cloned()).await?);
    let (mut hash, mut size) = (Sha256::new(), 0);
    while let Some(piece) = bytes.try_next().await? {
        hash.update(&piece);
        size += piece.len() as i64;
    }
    if job.source.size > 0 && job.source.size != size {
        let detail = format!(
            "the source has {size} bytes, not {} as announced",
            job.source.size
        );
        return Err(Failed::last(FailureCode::SourceCorrupt, detail));
    }
    let source = SourceState {
        parts: Vec::new(),
        size,
        sha256: hex(&hash.finalize()),
        ..job.source.clone()
    };
    is_wanted(job, &source.sha256)?;
    Ok(source)
}

/// The bytes of an upload, as long as they are what they were.
async fn read(
    from: Store,
    id: Uuid,
    pieces: Option<Pieces>,
) -> Result<impl Stream<Item = Result<Bytes, Failed>>, Failed> {
    let object = from.get(&keys::source(id), None).await?;
    let bytes = tokio_util::io::ReaderStream::new(object.body.into_async_read());
    let bytes = bytes.map_err(|error| Failed::passing(format!("the transfer broke off: {error}")));
    let changed = || Failed::passing("what was read of the upload is not what was sent");
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

/// Puts together what came in several uploads.
async fn joined(app: &App, job: &Job) -> Result<SourceState, Failed> {
    let objects = futures_util::stream::iter(job.source.parts.clone()).then(|pieces| {
        let from = app.store.clone();
        async move {
            let id = pieces.upload.parse().map_err(Failed::passing)?;
            read(from, id, Some(pieces)).await
        }
    });
    let size = job.source.size.cast_unsigned();
    let mut source = store(app, job, None, Some(size), objects.try_flatten()).await?;
    source.parts.clear();
    Ok(source)
}

/// It is the file that the client says it is.
fn is_wanted(job: &Job, sha256: &str) -> Result<(), Failed> {
    match &job.source.wanted_sha256 {
        Some(wanted) if wanted != sha256 => Err(Failed::last(
            FailureCode::SourceCorrupt,
            format!("the source has the SHA-256 {sha256}, not {wanted}"),
        )),
        _ => Ok(()),
    }
}

/// Asks for a URL, looked at once more: the settings may have changed since the job was made.
async fn request(app: &App, web: &Client, url: &str) -> Result<reqwest::Response, Failed> {
    let refused = |detail: String| Failed::last(FailureCode::SourceMissing, detail);
    let allowed = &app.config.outbound_allow;
    let url = Url::parse(url).map_err(|error| refused(error.to_string()))?;
    outbound::check(&url, allowed).map_err(|error| refused(error.to_string()))?;
    let answer = web.get(url).send().await.map_err(|error| {
        let error = error.without_url();
        match outbound::refusal(&error) {
            Some(reason) => refused(reason.to_string()),
            None => Failed::Passing(format!("the server cannot be reached: {error}")),
        }
    })?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
            Err(Failed::Passing(format!("the server answers {status}")))
        }
        status if status.is_server_error() => Err(Failed::Passing(format!("the server answers {status}"))),
        status => Err(refused(format!("the server answers {status}"))),
    }
}

async fn store<E: std::fmt::Display>(
    app: &App,
    job: &Job,
    content_type: Option<String>,
    size: Option<u64>,
    body: impl Stream<Item = Result<Bytes, E>>,
) -> Result<SourceState, Failed> {
    let max = app.config.max_upload();
    let too_large = || {
        let limit = app.config.max_upload_mb;
        Failed::last(
            FailureCode::MediaTooLarge,
            format!("the source is larger than {limit} MB"),
        )
    };
    if size.is_some_and(|size| size > max) {
        return Err(too_large());
    }
    let mut source = job.source.clone();
    if let Some(content_type) = content_type.filter(|_| source.content_type.is_empty()) {
        source.content_type = plain_type(&content_type);
    }
    let mut upload = Multipart::start(&app.store, &keys::source(job.id), &source.content_type, max).await?;
    let mut body = pin!(body.map_err(|error| Failed::Passing(format!("the transfer broke off: {error}"))));
    let stalled = |_| Failed::passing("the transfer stood still");
    while let Some(piece) = timeout(SILENCE, body.next()).await.map_err(stalled)? {
        let piece = piece?;
        if upload.size() + piece.len() as u64 > max {
            return Err(too_large());
        }
        upload.write(piece).await?;
    }
    if upload.size() == 0 {
        return Err(Failed::last(FailureCode::UnsupportedMedia, "the source is empty"));
    }
    if size.is_some_and(|size| size != upload.size()) {
        return Err(Failed::Passing("the transfer ended early".to_owned()));
    }
    is_wanted(job, &upload.sha256())?;
    let stored = upload.complete().await?;
    source.size = stored.size.cast_signed();
    source.sha256 = stored.sha256;
    Ok(source)
}
