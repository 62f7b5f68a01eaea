//! `GET /jobs/{id}/outputs/{stage}/{name}/link`: a download link for clients without an API key, such as a player.

use super::{file_name::disposition, find};
use crate::{
    http::{
        extract::{Owned, Params},
        problem::Problem,
    },
    state::PublicStore,
};
use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use vidp_record::{job::Job, time::after, view};

/// Default lifetime of a link in seconds.
const LIFETIME: u32 = 900;
/// Longest lifetime of a link in seconds.
const MAX_LIFETIME: u32 = 24 * 3600;

/// Query of [`get`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LinkQuery {
    /// Lifetime of the link in seconds. Default: 900.
    #[param(minimum = 1, maximum = 86_400, example = 900)]
    seconds: Option<u32>,
}

/// A download link.
#[derive(Serialize, ToSchema)]
#[schema(as = DownloadLink)]
pub(crate) struct LinkView {
    /// Presigned URL: it downloads the output without an API key, and supports ranges.
    url: String,
    /// When the link expires.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Option<String>,
}

/// Get a download link for an output.
///
/// Returns a presigned URL of the object store. A browser saves the output under the names of the source and of the output.
/// Until the link expires, every client that has it can download the output.
#[utoipa::path(
    get, path = "", operation_id = "getOutputLink", tag = "Outputs",
    params(
        ("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("stage" = inline(vidp_contract::Stage), Path, description = "Stage that produced the output.", example = "scale"),
        ("name" = String, Path, description = "Name of the output.", example = "480p.mp4"),
        LinkQuery,
    ),
    responses((status = 200, description = "The link.", body = LinkView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn get(
    State(public_store): State<PublicStore>,
    Params(query): Params<LinkQuery>,
    Owned(job): Owned<Job>,
    Path((_, stage, name)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let seconds = query.seconds.unwrap_or(LIFETIME);
    if !(1..=MAX_LIFETIME).contains(&seconds) {
        return Err(Problem::invalid(format!("seconds must be 1 to {MAX_LIFETIME}")));
    }
    let output = find(&job, &stage, &name)?;
    let disposition = disposition("attachment", &job.source.filename, &output.name);
    let valid = Duration::from_secs(seconds.into());
    let url = public_store.presign_download(&output.key, &output.content_type, &disposition, valid);
    let link = LinkView {
        url: url.await?,
        expires_at: view::time(Some(after(valid))),
    };
    // The URL is a secret until it expires, so no cache may store it.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(link)).into_response())
}
