//! `GET /jobs`: the jobs of a tenant, filtered and paged.

use crate::{
    auth::Caller,
    http::{cursor, extract::Params, problem::Problem},
    limits::Limits,
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use vidp_record::{
    db::{Db, Filter},
    job::JobStatus,
    time::DateTime,
    view::{self, JobView},
};

/// Longest search text, in characters.
const MAX_SEARCH: usize = 200;

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Return only jobs with this status.
    #[param(inline, example = "running")]
    status: Option<JobStatus>,
    /// Return only jobs with this `external_id`.
    #[param(example = "film-7")]
    external_id: Option<String>,
    /// Return only jobs that contain this text in the file name, the id, `external_id` or `batch_id`. Case, the spelling of
    /// accents (composed or not) and the width of characters are ignored. Maximum: 200 characters. A search counts as 10 requests.
    #[param(max_length = 200, example = "holiday")]
    search: Option<String>,
    /// Return only jobs of this batch.
    #[param(example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")]
    batch_id: Option<String>,
    /// Return only jobs created at or after this time.
    #[param(format = DateTime, example = "2026-05-04T09:00:00Z")]
    created_after: Option<String>,
    /// Return only jobs created before this time.
    #[param(format = DateTime, example = "2026-05-05T09:00:00Z")]
    created_before: Option<String>,
    /// Jobs per page. Default: 20.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the previous page.
    #[param(example = "AQGYwqRvC31ejBovTm2LCpE")]
    cursor: Option<String>,
}

impl ListQuery {
    /// The filter for the jobs of a tenant, and the page size. The filter finds one job more than the page, which shows that
    /// there is a next page.
    fn filter(self, tenant: String) -> Result<(Filter, u32), Problem> {
        let limit = cursor::limit(self.limit)?;
        let search = self.search.filter(|text| !text.is_empty());
        if search
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_SEARCH)
        {
            return Err(Problem::invalid(format!(
                "search must have at most {MAX_SEARCH} characters"
            )));
        }
        let filter = Filter {
            tenant,
            status: self.status,
            external_id: self.external_id,
            search,
            batch_id: self.batch_id,
            created_after: time("created_after", self.created_after)?,
            created_before: time("created_before", self.created_before)?,
            behind: self.cursor.as_deref().map(cursor::parse).transpose()?,
            limit: i64::from(limit) + 1,
            ..Filter::default()
        };
        Ok((filter, limit))
    }
}

/// A page of jobs, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobList<'a> {
    /// The jobs of the page.
    data: Vec<JobView<'a>>,
    /// The `cursor` of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// List jobs.
///
/// Returns the newest jobs first. New jobs do not shift later pages.
#[utoipa::path(
    get, path = "", operation_id = "listJobs", tag = "Jobs", params(ListQuery),
    responses((status = 200, description = "A page of jobs.", body = JobList)),
)]
pub(crate) async fn list(
    State(db): State<Db>,
    State(limits): State<Arc<Limits>>,
    caller: Caller,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    if query.search.is_some() {
        limits.search(&caller)?;
    }
    let (filter, limit) = query.filter(caller.tenant)?;
    let (jobs, next_cursor) = cursor::page(db.list(filter).await?, limit, |job| job.id);
    let data = jobs.iter().map(view::job).collect();
    Ok(Json(JobList { data, next_cursor }).into_response())
}

/// Parses a time in a query.
fn time(name: &str, text: Option<String>) -> Result<Option<DateTime>, Problem> {
    let parse = |text: String| {
        DateTime::parse_rfc3339_str(&text)
            .map_err(|_| Problem::invalid(format!("{name} must be an RFC 3339 time, not {text:?}")))
    };
    text.map(parse).transpose()
}
