//! `GET /jobs`: a tenant's jobs, filtered and paged.

use crate::{
    auth::Caller,
    http::{cursor, extract::Params, problem::Problem},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vidp_record::{
    db::{Db, Filter},
    job::JobStatus,
    time::DateTime,
    view::{self, JobView},
};

/// Longest text that is looked for: that of a file name, nearly.
const MAX_SEARCH: usize = 200;

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those with this status.
    #[param(inline, example = "running")]
    status: Option<JobStatus>,
    /// Only those with this id of the client's own.
    #[param(example = "film-7")]
    external_id: Option<String>,
    /// Only those with this text in the file name, the id or one of the client's ids, in upper or lower case; 200
    /// characters at most.
    #[param(max_length = 200, example = "holiday")]
    search: Option<String>,
    /// Only those of this batch.
    #[param(example = "0198c2a4-0c55-7b02-b7a4-91c3d2e4f5a6")]
    batch_id: Option<String>,
    /// Only those created after this time.
    #[param(format = DateTime, example = "2026-05-04T09:00:00Z")]
    created_after: Option<String>,
    /// Only those created before this time.
    #[param(format = DateTime, example = "2026-05-05T09:00:00Z")]
    created_before: Option<String>,
    /// Jobs on a page; 20 when it is left out.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[param(example = "AQGYwqRvC31ejBovTm2LCpE")]
    cursor: Option<String>,
}

impl ListQuery {
    /// What a client of this tenant wants, and how many on a page: the filter finds one more, which tells whether there
    /// is a next page.
    fn filter(self, tenant: String) -> Result<(Filter, u32), Problem> {
        let limit = cursor::limit(self.limit)?;
        let search = self.search.filter(|text| !text.is_empty());
        if search
            .as_ref()
            .is_some_and(|text| text.chars().count() > MAX_SEARCH)
        {
            return Err(Problem::invalid(format!(
                "search takes {MAX_SEARCH} characters at most"
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
pub struct JobList<'a> {
    data: Vec<JobView<'a>>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// List jobs.
///
/// Newest first, a page at a time. Jobs that come meanwhile do not shift the pages.
#[utoipa::path(
    get, path = "", operation_id = "listJobs", tag = "Jobs", params(ListQuery),
    responses((status = 200, description = "A page.", body = JobList)),
)]
pub async fn list(
    State(db): State<Db>,
    caller: Caller,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let (filter, limit) = query.filter(caller.tenant)?;
    let (jobs, next_cursor) = cursor::page(db.list(filter).await?, limit, |job| job.id);
    let data = jobs.iter().map(view::job).collect();
    Ok(Json(JobList { data, next_cursor }).into_response())
}

/// A time in a query.
fn time(name: &str, text: Option<String>) -> Result<Option<DateTime>, Problem> {
    let parse = |text: String| {
        DateTime::parse_rfc3339_str(&text)
            .map_err(|_| Problem::invalid(format!("{name} must be a time as in RFC 3339, not {text:?}")))
    };
    text.map(parse).transpose()
}
