//! `POST /processing/{kind}`: creates a job from the form of the first VidP.

use super::{
    kind::Kind,
    view::{VideoView, video},
};
use crate::{
    auth::Caller,
    handlers::jobs::{form::from_form, trace::watched},
    http::{idempotency, problem::Problem},
    state::Intake,
};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa::ToSchema;

/// Name of the part with the video.
const FILE: &str = "video_file";
/// Names of the other parts.
const FIELDS: [&str; 4] = ["duration", "target_resolution", "crf", "language"];

/// The parts of a form, in any order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only for the OpenAPI document: the parts are streamed")]
struct VideoForm {
    /// The video.
    #[schema(value_type = String, format = Binary)]
    video_file: (),
    /// Maximum seconds of speech to analyse.
    #[schema(minimum = 1, maximum = 600, nullable = false)]
    duration: Option<f64>,
    /// `720p`, `720` or `1280x720`.
    #[schema(nullable = false)]
    target_resolution: Option<String>,
    /// Constant rate factor. 0 is the best quality.
    #[schema(minimum = 0, maximum = 51, nullable = false)]
    crf: Option<u8>,
    /// ISO code of the spoken language. Default: the detected language.
    #[schema(nullable = false)]
    language: Option<String>,
}

/// Process a video.
///
/// Creates a job with the stages of `kind`: `language-detection` runs `detect`, `compression` runs `scale`, `subtitles`
/// runs `subtitle`, `process-video` runs all three.
#[utoipa::path(
    post, path = "", operation_id = "processVideo", tag = "Processing",
    params(
        ("kind" = Kind, Path, description = "Kind of processing.", example = "compression"),
        ("Idempotency-Key" = Option<String>, Header, description = "All requests with this key within 24 hours create a \
            single job.", example = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
    ),
    request_body(content = inline(VideoForm), content_type = "multipart/form-data",
        example = json!({ "video_file": "the bytes", "target_resolution": "480p" })),
    responses((status = 202, description = "The video, which is stored and queued.", body = VideoView, headers(
        ("Location" = String, description = "URL of the video."),
        ("Idempotent-Replayed" = Option<String>, description = "`true` when an earlier request created this job."),
    ))),
    extensions(("x-problems" = json!(["too_many_uploads", "quota_exceeded", "not_found", "unsupported_media", "too_slow", "conflict", "idempotency_conflict",
        "upload_too_large", "digest_mismatch", "idempotency_key_reused"]))),
)]
pub(crate) async fn create(
    State(intake): State<Intake>,
    caller: Caller,
    Path(kind): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let kind = Kind::parse(&kind)?;
    let receive = |request| {
        from_form(&intake, &caller, request, FILE, &FIELDS, |texts| {
            kind.options(texts)
        })
    };
    let received = watched(&intake, &caller, request, receive).await?;
    let location = format!("/api/v1/processing/{}/{}", kind.as_str(), received.job.id);
    let replayed = received.replayed.then_some([idempotency::REPLAYED]);
    let video = Json(video(kind, &received.job));
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        replayed,
        video,
    )
        .into_response())
}
