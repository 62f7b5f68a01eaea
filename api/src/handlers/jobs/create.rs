//! `POST /jobs`: accepts a video. It is streamed to the object store with a running SHA-256; memory and disk never hold
//! the complete file.

use super::{
    by_reference::{self, ByReference},
    form::{OCTETS, Texts, from_form, length, refuse_by_length},
    received::{Received, accepted},
    receiver::Receiver,
    trace::watched,
};
use crate::{
    auth::Caller,
    http::{
        body,
        digest::Expected,
        idempotency, options,
        pace::timely,
        problem::{Code, Problem},
    },
    openapi::Binary,
    state::Intake,
};
use axum::{
    body::Body,
    extract::{Query, Request, State},
    response::Response,
};
use futures_util::StreamExt;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use vidp_contract::JobOptions;
use vidp_record::{api_key::Scope, view::JobView};

/// Query of an upload with a raw body.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct RawQuery {
    /// For a raw body: options of the job, as JSON.
    #[param(example = "{\"stages\":[\"detect\"]}")]
    options: Option<String>,
    /// For a raw body: name of the file.
    #[param(example = "clip.mp4")]
    filename: Option<String>,
}

/// The parts of a form, in either order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only for the OpenAPI document: the parts are streamed")]
struct UploadForm {
    /// The video.
    #[schema(value_type = String, format = Binary)]
    file: (),
    /// Options of the job.
    options: Option<JobOptions>,
}

/// Upload a video.
///
/// Send a form with the part `file` and, before or after it, `options`; or the video as the body, with the options in
/// the query; or JSON with the location of the video. In the last case the server fetches the video after the answer, and
/// the job is `uploading` until then; such a request needs the scope `jobs:write`.
#[utoipa::path(
    post, path = "", operation_id = "createJob", tag = "Jobs",
    params(
        RawQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "All requests with this key within 24 hours create a \
            single job.", example = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
        ("Repr-Digest" = Option<String>, Header, description = "SHA-256 of the body (RFC 9530). `Content-Digest` and \
            `Digest` are accepted too.", example = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
    ),
    request_body(
        description = "The video. It is streamed and may have any size up to the server's limit.",
        content(
            (inline(UploadForm) = "multipart/form-data", encoding(("options" = (content_type = "application/json"))),
                example = json!({ "options": { "stages": ["detect"] }, "file": "the bytes" })),
            (Binary = "video/*", example = json!("the bytes")),
            (Binary = "audio/*", example = json!("the bytes")),
            (ByReference = "application/json"),
            (Binary = "application/octet-stream", example = json!("the bytes")),
        ),
    ),
    responses((status = 202, description = "The stored job.", body = JobView,
        headers(
            ("Location" = String, description = "URL of the job."),
            ("Idempotent-Replayed" = Option<String>, description = "`true` when an earlier request created this job."),
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
pub(crate) async fn create(
    State(intake): State<Intake>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let receive = |request| receive(&intake, &caller, request);
    Ok(accepted(&watched(&intake, &caller, request, receive).await?))
}

/// Receives a video in one of the accepted content types.
async fn receive(intake: &Intake, caller: &Caller, request: Request) -> Result<Received, Problem> {
    let content_type = body::content_type(request.headers());
    if content_type.starts_with("multipart/form-data") {
        from_form(intake, caller, request, "file", &["options"], job_options).await
    } else if content_type.starts_with("video/")
        || content_type.starts_with("audio/")
        || content_type == OCTETS
    {
        from_body(intake, caller, request, content_type).await
    } else if content_type == body::JSON {
        // The scope `jobs:create` is for keys that reach browsers. They must not make the server fetch files.
        caller.require(&[Scope::JobsWrite])?;
        let key = idempotency::key(request.headers())?;
        let body = axum::body::to_bytes(request.into_body(), options::MAX_TEXT).await;
        let body = body.map_err(|error| Problem::invalid(format!("body: {error}")))?;
        by_reference::create(intake, caller, key, body).await
    } else {
        Err(Problem::new(
            Code::UnsupportedContentType,
            "send multipart/form-data with a part `file`, the video as the body with a content type of video/*, audio/* or \
             application/octet-stream, or application/json with a source",
        ))
    }
}

fn job_options(texts: &Texts) -> Result<JobOptions, Problem> {
    texts
        .get("options")
        .map_or_else(|| Ok(JobOptions::default()), |text| options::parse(text))
}

/// Receives a video that is the body of the request, with the options in the query.
async fn from_body(
    intake: &Intake,
    caller: &Caller,
    request: Request,
    content_type: String,
) -> Result<Received, Problem> {
    refuse_by_length(intake, request.headers(), 0)?;
    let digest = Expected::of(request.headers())?;
    let key = idempotency::key(request.headers())?;
    let query = Query::<RawQuery>::try_from_uri(request.uri())
        .map_err(|error| Problem::invalid(format!("query: {}", error.body_text())))?;
    let options = query
        .options
        .as_deref()
        .map_or_else(|| Ok(JobOptions::default()), options::parse)?;
    let name = query.filename.as_deref().unwrap_or_default();
    let announced = length(request.headers());
    let receiver = Receiver::start(
        intake,
        caller,
        key,
        options.clone(),
        name,
        &content_type,
        announced,
    );
    let mut receiver = receiver.await?;
    let mut body = Body::into_data_stream(request.into_body());
    while let Some(bytes) = timely(async { body.next().await.transpose() }).await? {
        receiver.write(bytes).await?;
    }
    digest.check(&receiver.sha256())?;
    receiver.commit(options).await
}
