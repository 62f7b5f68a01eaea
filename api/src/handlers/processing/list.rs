//! `GET /processing/{kind}`: the jobs with exactly the stages of a kind.

use super::{
    kind::Kind,
    view::{VideoList, video},
};
use crate::{
    auth::Caller,
    http::{cursor, extract::Params, problem::Problem},
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use vidp_record::{
    db::{Db, Filter},
    job::JobStatus,
};

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Return only videos with this status.
    #[param(example = "succeeded")]
    status: Option<JobStatus>,
    /// Videos per page. Default: 20.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the previous page.
    #[param(example = "AQGYwqRvC31ejBovTm2LCpE")]
    cursor: Option<String>,
}

/// List videos.
///
/// Returns the jobs with exactly the stages of `kind`, newest first, created by any endpoint.
#[utoipa::path(
    get, path = "", operation_id = "listVideos", tag = "Processing",
    params(("kind" = Kind, Path, description = "Kind of processing.", example = "compression"), ListQuery),
    responses((status = 200, description = "A page of videos.", body = VideoList)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn list(
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
        // One item more than the page shows that there is a next page.
        limit: i64::from(limit) + 1,
        ..Filter::default()
    };
    let (jobs, next_cursor) = cursor::page(db.list(filter).await?, limit, |job| job.id);
    let data = jobs.iter().map(|job| video(kind, job)).collect();
    Ok(Json(VideoList { data, next_cursor }).into_response())
}
