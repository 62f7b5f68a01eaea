//! Links to outputs for who has no key: a browser, a player, a friend.

use super::{file_name::file_name, find::find};
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

/// A link's life, unless told. Seconds.
const LIFE: u32 = 900;
/// At most. Seconds.
const MAX_LIFE: u32 = 24 * 3600;

/// Query of [`get`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinkQuery {
    /// Seconds that the link is good; 900 when it is left out.
    #[param(minimum = 1, maximum = 86_400, example = 900)]
    seconds: Option<u32>,
}

/// A link.
#[derive(Serialize, ToSchema)]
#[schema(as = DownloadLink)]
pub struct LinkView {
    /// Whoever has it may download the output, without a key. Ranges work.
    url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Option<String>,
}

/// Get a link to an output.
///
/// A presigned URL of the object store, which saves the output under the source's name and its own. It is good for a short
/// time, and to whoever has it.
#[utoipa::path(
    get, path = "", operation_id = "getOutputLink", tag = "Outputs",
    params(
        ("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("stage" = inline(vidp_contract::Stage), Path, description = "The stage that made it.", example = "scale"),
        ("name" = String, Path, description = "Its name in the job.", example = "480p.mp4"),
        LinkQuery,
    ),
    responses((status = 200, description = "The link.", body = LinkView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn get(
    State(public_store): State<PublicStore>,
    Params(query): Params<LinkQuery>,
    Owned(job): Owned<Job>,
    Path((_, stage, name)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let seconds = query.seconds.unwrap_or(LIFE);
    if !(1..=MAX_LIFE).contains(&seconds) {
        return Err(Problem::invalid(format!("seconds must be 1 to {MAX_LIFE}")));
    }
    let output = find(&job, &stage, &name)?;
    let disposition = format!(
        "attachment; filename=\"{}\"",
        file_name(&job.source.filename, &output.name)
    );
    let valid = Duration::from_secs(seconds.into());
    let url = public_store.presign_download(&output.key, &output.content_type, &disposition, valid);
    let link = LinkView {
        url: url.await?,
        expires_at: view::time(Some(after(valid))),
    };
    // It is a secret while it is good.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(link)).into_response())
}
