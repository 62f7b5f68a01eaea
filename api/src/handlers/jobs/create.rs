//! `POST /jobs`: a video comes in. Streamed to the store with a running SHA-256, never whole in memory or on disk.

mod by_reference;
mod digest;
mod pace;
mod receiver;

use vidp_pipeline::Shared;
use crate::{auth::Caller, http::{body, idempotency, options, problem::{Code, Problem}}, metrics::UploadWatch, openapi::Binary};
use vidp_record::{job::Job, time::DateTime, view::{self, JobView}};
use axum::{Json, body::Body, extract::{FromRequest, Multipart, Query, Request, State, multipart::Field}, http::{HeaderMap, StatusCode, header}, response::{IntoResponse, Response}};
pub use by_reference::ByReference;
use digest::{Expected, Hashed};
use futures_util::StreamExt;
pub use pace::Pace;
pub use receiver::Received;
use receiver::Receiver;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};
use tracing::{Instrument, field::Empty};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vidp_common::trace;
use vidp_contract::{JobOptions, TraceParent};

/// What a multipart body may have around the file.
const MULTIPART_OVERHEAD: u64 = 1 << 20;
/// Longest pause between two pieces of a body.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Query of an upload with a raw body.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RawQuery {
    /// For a raw body: the options as JSON.
    #[param(example = "{\"stages\":[\"detect\"]}")]
    options: Option<String>,
    /// For a raw body: the file's name.
    #[param(example = "clip.mp4")]
    filename: Option<String>,
}

/// The parts of a form, in either order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document: the parts are streamed, never held")]
struct UploadForm {
    /// The video.
    #[schema(value_type = String, format = Binary)]
    file: (),
    options: Option<JobOptions>,
}

/// Upload a video.
///
/// A form with the part `file` and, before or after it, `options`; the video itself as the body, with the options in the
/// query; or JSON that says where the server fetches it, after this answer: the job is `uploading` until then.
#[utoipa::path(
    post, path = "", operation_id = "createJob", tag = "Jobs",
    params(
        RawQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes one job of all requests with this key within \
            24 hours.", example = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
        ("Repr-Digest" = Option<String>, Header, description = "SHA-256 of the body (RFC 9530); `Content-Digest` and \
            `Digest` do as well.", example = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
    ),
    request_body(
        description = "The video, streamed: it may be of any length up to the server's limit.",
        content(
            (inline(UploadForm) = "multipart/form-data", encoding(("options" = (content_type = "application/json"))),
                example = json!({ "options": { "stages": ["detect"] }, "file": "the bytes" })),
            (Binary = "video/*", example = json!("the bytes")),
            (Binary = "audio/*", example = json!("the bytes")),
            (ByReference = "application/json"),
            (Binary = "application/octet-stream", example = json!("the bytes")),
        ),
    ),
    responses((status = 202, description = "The job, stored and on its way.", body = JobView,
        headers(
            ("Location" = String, description = "The job's URL."),
            ("Idempotent-Replayed" = Option<String>, description = "`true` when an earlier request made this job."),
        ),
        links(
            ("job" = (operation_id = "getJob", parameters(("id" = "$response.body#/id")))),
            ("cancel" = (operation_id = "cancelJob", parameters(("id" = "$response.body#/id")))),
            ("outputs" = (operation_id = "listOutputs", parameters(("id" = "$response.body#/id")))),
        ),
    )),
    extensions(("x-problems" = json!(["too_many_uploads", "quota_exceeded", "unsupported_media", "too_slow", "conflict", "idempotency_conflict",
        "source_not_allowed", "not_found", "upload_too_large", "unsupported_content_type", "digest_mismatch", "idempotency_key_reused"]))),
)]
pub async fn create(
    State(app): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let receive = |request| receive(&app, &caller, request);
    Ok(accepted(&watched(&app, &caller, request, receive).await?))
}

/// Receives an upload in a span of its own, and counts it.
pub async fn watched<F>(
    app: &Shared,
    caller: &Caller,
    request: Request,
    receive: impl FnOnce(Request) -> F,
) -> Result<Received, Problem>
where
    F: Future<Output = Result<Received, Problem>>,
{
    let mut watch = UploadWatch::start();
    let span = tracing::info_span!(
        "upload",
        otel.kind = "server",
        tenant = caller.tenant,
        key = caller.key_id,
        job = Empty,
        trace_id = Empty
    );
    if let Some(trace) = clients_trace(request.headers()) {
        trace::adopt(&trace, &span);
    }
    let _permit = app.limits.upload(app, caller).await?;
    let received = receive(request).instrument(span).await;
    watch.answered(received.as_ref().ok());
    received
}

/// 202 with the job and its place.
fn accepted(received: &Received) -> Response {
    let location = format!("/api/v1/jobs/{}", received.job.id);
    let replayed = received.replayed.then_some([idempotency::REPLAYED]);
    let job = Json(view::job(&received.job));
    (
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        replayed,
        job,
    )
        .into_response()
}

/// The client's own trace, which the job's then is part of.
fn clients_trace(headers: &HeaderMap) -> Option<TraceParent> {
    TraceParent::parse(headers.get(trace::HEADER)?.to_str().ok()?)
}

async fn receive(app: &Shared, caller: &Caller, request: Request) -> Result<Received, Problem> {
    let content_type = body::content_type(request.headers());
    if content_type.starts_with("multipart/form-data") {
        from_form(app, caller, request, "file", &["options"], job_options).await
    } else if content_type.starts_with("video/")
        || content_type.starts_with("audio/")
        || content_type == OCTETS
    {
        from_body(app, caller, request, content_type).await
    } else if content_type == "application/json" {
        let key = idempotency::key(request.headers())?;
        let body = axum::body::to_bytes(request.into_body(), options::MAX_TEXT).await;
        let body = body.map_err(|error| Problem::invalid(format!("body: {error}")))?;
        by_reference::create(app, caller, key, body).await
    } else {
        Err(Problem::new(
            Code::UnsupportedContentType,
            "send multipart/form-data with a part `file`, the video itself with a content type of video/*, or application/json with its source",
        ))
    }
}

const OCTETS: &str = "application/octet-stream";

/// The text parts of a form, by name.
pub type Texts = BTreeMap<String, String>;

fn job_options(texts: &Texts) -> Result<JobOptions, Problem> {
    texts
        .get("options")
        .map_or_else(|| Ok(JobOptions::default()), |text| options::parse(text))
}

/// A form with the video in the part `file_part` and texts in `text_parts`, in any order. The texts become `options`:
/// those before the file are looked at before it is taken.
pub async fn from_form(
    app: &Shared,
    caller: &Caller,
    request: Request,
    file_part: &str,
    text_parts: &[&str],
    options: impl Fn(&Texts) -> Result<JobOptions, Problem>,
) -> Result<Received, Problem> {
    refuse_by_length(app, request.headers(), MULTIPART_OVERHEAD)?;
    let digest = Expected::of(request.headers())?;
    let key = idempotency::key(request.headers())?;
    let (head, body) = request.into_parts();
    let (body, hashed) = match digest.is_empty() {
        true => (body, None),
        false => {
            let hashed = Hashed::new(body);
            (hashed.body(), Some(hashed))
        }
    };
    let mut form = Multipart::from_request(Request::from_parts(head, body), app)
        .await
        .map_err(|error| Problem::invalid(error.body_text()))?;
    let (mut texts, mut file) = (Texts::new(), None);
    while let Some(field) = timely(form.next_field()).await? {
        let name = field.name().unwrap_or_default().to_owned();
        if texts.contains_key(&name) || (name == file_part && file.is_some()) {
            return Err(Problem::invalid(format!("two parts named {name:?}")));
        } else if text_parts.contains(&name.as_str()) {
            let text = text(&name, field).await?;
            texts.insert(name, text);
        } else if name == file_part {
            let filename = field.file_name().unwrap_or_default().to_owned();
            let kind = field.content_type().unwrap_or(OCTETS).to_owned();
            let options = options(&texts)?;
            let mut receiver = begin(app, caller, key.clone(), options, &filename, &kind).await?;
            let mut field = field;
            while let Some(bytes) = timely(field.chunk()).await? {
                receiver.write(bytes).await?;
            }
            file = Some(receiver);
        } else {
            return Err(Problem::invalid(format!(
                "unknown part {name:?}: expected {file_part}, {}",
                text_parts.join(", ")
            )));
        }
    }
    let file = file.ok_or_else(|| Problem::invalid(format!("there is no part named {file_part}")))?;
    drop(form);
    if let Some(hashed) = hashed {
        // RFC 7578 §4.8 has no digest of a part: it is the whole form's.
        digest.check(&hashed.finish().await?)?;
    }
    file.commit(options(&texts)?).await
}

/// The body is the video; the options are in the query.
async fn from_body(
    app: &Shared,
    caller: &Caller,
    request: Request,
    content_type: String,
) -> Result<Received, Problem> {
    refuse_by_length(app, request.headers(), 0)?;
    let digest = Expected::of(request.headers())?;
    let key = idempotency::key(request.headers())?;
    let query = Query::<RawQuery>::try_from_uri(request.uri())
        .map_err(|error| Problem::invalid(format!("query: {}", error.body_text())))?;
    let options = query
        .options
        .as_deref()
        .map_or_else(|| Ok(JobOptions::default()), options::parse)?;
    let name = query.filename.as_deref().unwrap_or_default();
    let mut receiver = begin(app, caller, key, options.clone(), name, &content_type).await?;
    let mut body = Body::into_data_stream(request.into_body());
    while let Some(bytes) = timely(async { body.next().await.transpose() }).await? {
        receiver.write(bytes).await?;
    }
    digest.check(&receiver.sha256())?;
    receiver.commit(options).await
}

async fn begin(
    app: &Shared,
    caller: &Caller,
    key: Option<String>,
    options: JobOptions,
    name: &str,
    content_type: &str,
) -> Result<Receiver, Problem> {
    let id = Uuid::now_v7();
    let content_type = plain_type(content_type);
    let tenant = caller.tenant.clone();
    let mut job = Job::uploading(
        id,
        tenant,
        options,
        plain_name(name),
        content_type,
        DateTime::now(),
    );
    job.idempotency_key = key;
    Receiver::begin(app, job).await
}

/// The next piece of a body, or why there is none.
pub async fn timely<T, E: std::fmt::Display>(
    next: impl Future<Output = Result<Option<T>, E>>,
) -> Result<Option<T>, Problem> {
    match tokio::time::timeout(IDLE_LIMIT, next).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(Problem::invalid(format!("the body broke off: {error}"))),
        Err(_) => Err(too_slow()),
    }
}

fn too_slow() -> Problem {
    Problem::new(Code::TooSlow, "the upload came in too slowly")
}

/// 413: larger than the settings allow.
pub fn too_large(app: &Shared) -> Problem {
    let limit = app.config.max_upload_mb;
    Problem::new(
        Code::UploadTooLarge,
        format!("the file is larger than {limit} MB"),
    )
}

/// Refuses before the body is sent, when the client says how long it is.
fn refuse_by_length(app: &Shared, headers: &HeaderMap, overhead: u64) -> Result<(), Problem> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > app.config.max_upload() + overhead => Err(too_large(app)),
        _ => Ok(()),
    }
}

async fn text(name: &str, mut field: Field<'_>) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(piece) = timely(field.chunk()).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > options::MAX_TEXT {
            let limit = options::MAX_TEXT;
            return Err(Problem::invalid(format!("{name} is larger than {limit} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::invalid(format!("{name} is not UTF-8")))
}

/// What a client says a file's SHA-256 is, in lower case.
pub fn wanted_hash(sha256: Option<String>) -> Result<Option<String>, Problem> {
    let is_hex = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    match sha256 {
        Some(hash) if !is_hex(&hash) => Err(Problem::invalid("sha256: 64 hexadecimal digits are expected")),
        hash => Ok(hash.map(|hash| hash.to_ascii_lowercase())),
    }
}
