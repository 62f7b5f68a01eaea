//! `/api/v1/processing`: the endpoints of the first VidP, as views of jobs. Nothing is stored that a job does not have.

mod kind;
mod view;

use crate::{
    auth::Caller,
    handlers::jobs::{form::from_form, trace::watched},
    http::{
        cursor,
        extract::{Owned, Params},
        idempotency,
        problem::{Code, Problem},
    },
    state::Intake,
};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kind::Kind;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use vidp_record::{
    db::{Db, Filter},
    job::{Job, JobStatus},
};
use view::{LanguageList, VideoList, VideoView, video};

/// The part of a form that is the video.
const FILE: &str = "video_file";
/// Its other parts.
const FIELDS: [&str; 4] = ["duration", "target_resolution", "crf", "language"];

/// The parts of a form, in any order.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document: the parts are streamed, never held")]
struct VideoForm {
    /// The video.
    #[schema(value_type = String, format = Binary)]
    video_file: (),
    /// Seconds of speech to listen to at most.
    #[schema(minimum = 1, maximum = 600, nullable = false)]
    duration: Option<f64>,
    /// `720p`, `720` or `1280x720`.
    #[schema(nullable = false)]
    target_resolution: Option<String>,
    /// Constant rate factor: 0 is best.
    #[schema(minimum = 0, maximum = 51, nullable = false)]
    crf: Option<u8>,
    /// ISO code of the language spoken; detected when it is left out.
    #[schema(nullable = false)]
    language: Option<String>,
}

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those in this status.
    #[param(example = "succeeded")]
    status: Option<JobStatus>,
    /// Videos on a page; 20 by default.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[param(example = "AQGYwqRvC31ejBovTm2LCpE")]
    cursor: Option<String>,
}

/// Process a video.
///
/// Makes a job with the stages of `kind`: `language-detection` runs `detect`, `compression` runs `scale`, `subtitles`
/// runs `subtitle`, `process-video` runs all three.
#[utoipa::path(
    post, path = "", operation_id = "processVideo", tag = "Processing",
    params(
        ("kind" = Kind, Path, description = "What to do.", example = "compression"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes one job of all requests with this key within \
            24 hours.", example = "\"8e03978e-40d5-43e8-bc93-6894a57f9324\""),
    ),
    request_body(content = inline(VideoForm), content_type = "multipart/form-data",
        example = json!({ "video_file": "the bytes", "target_resolution": "480p" })),
    responses((status = 202, description = "The video, stored and on its way.", body = VideoView, headers(
        ("Location" = String, description = "The video's URL."),
        ("Idempotent-Replayed" = Option<String>, description = "`true` when an earlier request made this job."),
    ))),
    extensions(("x-problems" = json!(["too_many_uploads", "quota_exceeded", "not_found", "unsupported_media", "too_slow", "conflict", "idempotency_conflict",
        "upload_too_large", "digest_mismatch", "idempotency_key_reused"]))),
)]
pub async fn create(
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

/// List videos.
///
/// The jobs with the stages of `kind` and no others, newest first, however they were made.
#[utoipa::path(
    get, path = "", operation_id = "listVideos", tag = "Processing",
    params(("kind" = Kind, Path, description = "What was done.", example = "compression"), ListQuery),
    responses((status = 200, description = "A page.", body = VideoList)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn list(
    State(db): State<Db>,
    caller: Caller,
    Path(kind): Path<String>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let kind = Kind::parse(&kind)?;
    let limit = cursor::limit(query.limit)?;
    let filter = Filter {
        tenant: caller.tenant,
        status: query.status,
        stages: Some(kind.stages()),
        behind: query.cursor.as_deref().map(cursor::parse).transpose()?,
        // One more tells whether there is a next page.
        limit: i64::from(limit) + 1,
        ..Filter::default()
    };
    let (jobs, next_cursor) = cursor::page(db.list(filter).await?, limit, |job| job.id);
    let data = jobs.iter().map(|job| video(kind, job)).collect();
    Ok(Json(VideoList { data, next_cursor }).into_response())
}

/// Get a video.
///
/// What became of it so far.
#[utoipa::path(
    get, path = "", operation_id = "getVideo", tag = "Processing",
    params(
        ("kind" = Kind, Path, description = "What was done.", example = "compression"),
        ("id" = Uuid, Path, description = "The video.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
    ),
    responses((status = 200, description = "The video.", body = VideoView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn get(
    Path((kind, _)): Path<(String, String)>,
    Owned(job): Owned<Job>,
) -> Result<Response, Problem> {
    let kind = Kind::parse(&kind)?;
    if !job.stages.keys().eq(kind.stages()) {
        return Err(Problem::new(
            Code::NotFound,
            "there is no such video with this id",
        ));
    }
    Ok(Json(video(kind, &job)).into_response())
}

/// List the languages.
///
/// Those that can be heard, and that `language` may name.
#[utoipa::path(
    get, path = "", operation_id = "listLanguages", tag = "Processing",
    responses((status = 200, description = "The languages.", body = LanguageList)),
)]
pub async fn languages() -> Json<LanguageList> {
    Json(view::languages())
}
