//! `GET /processing/{kind}/{id}`: one job as a video.

use super::{
    kind::Kind,
    view::{VideoView, video},
};
use crate::http::{
    extract::Owned,
    problem::{Code, Problem},
};
use axum::{
    Json,
    extract::Path,
    response::{IntoResponse, Response},
};
use vidp_record::job::Job;

/// Get a video.
///
/// Returns its status and its outputs so far.
#[utoipa::path(
    get, path = "", operation_id = "getVideo", tag = "Processing",
    params(
        ("kind" = Kind, Path, description = "Kind of processing.", example = "compression"),
        ("id" = Uuid, Path, description = "Id of the video.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
    ),
    responses((status = 200, description = "The video.", body = VideoView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn get(
    Path((kind, _)): Path<(String, String)>,
    Owned(job): Owned<Job>,
) -> Result<Response, Problem> {
    let kind = Kind::parse(&kind)?;
    if !job.stages.keys().eq(kind.stages()) {
        return Err(Problem::new(
            Code::NotFound,
            "there is no video of this kind with this id",
        ));
    }
    Ok(Json(video(kind, &job)).into_response())
}
