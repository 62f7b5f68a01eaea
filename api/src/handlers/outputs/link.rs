//! Links to outputs for who has no key: a browser, a player, a friend.

use super::find;
use vidp_pipeline::Shared;
use crate::{auth::Caller, http::{extract::parse_id, problem::Problem}};
use vidp_record::{view, time::DateTime};
use axum::{Json, extract::{Path, Query, State, rejection::QueryRejection}, http::header, response::{IntoResponse, Response}};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// A link's life, unless told. Seconds.
const LIFE: u32 = 900;
/// At most. Seconds.
const MAX_LIFE: u32 = 24 * 3600;
/// Longest part of a source's name in that of a download, in bytes.
const MAX_STEM: usize = 100;

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
    State(app): State<Shared>,
    caller: Caller,
    Path((id, stage, name)): Path<(String, String, String)>,
    query: Result<Query<LinkQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let seconds = query.seconds.unwrap_or(LIFE);
    if !(1..=MAX_LIFE).contains(&seconds) {
        return Err(Problem::invalid(format!("seconds must be 1 to {MAX_LIFE}")));
    }
    let job = app.db.get(&caller.tenant, parse_id(&id)?).await?;
    let output = find(&job, &stage, &name)?;
    let disposition = format!(
        "attachment; filename=\"{}\"",
        file_name(&job.source.filename, &output.name)
    );
    let valid = Duration::from_secs(seconds.into());
    let url = app
        .public_store
        .presign_download(&output.key, &output.content_type, &disposition, valid);
    let ends = DateTime::now().timestamp_millis() + i64::from(seconds) * 1000;
    let link = LinkView {
        url: url.await?,
        expires_at: view::time(Some(DateTime::from_millis(ends))),
    };
    // It is a secret while it is good.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(link)).into_response())
}

/// `holiday-480p.mp4` of `holiday.mov`. Only characters that need no quoting in any file system or header; others are left
/// out, as who cannot write them in a shell will thank for.
pub(super) fn file_name(source: &str, output: &str) -> String {
    let stem = source.rsplit_once('.').map_or(source, |(stem, _)| stem);
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    let stem: String = stem.chars().filter(plain).take(MAX_STEM).collect();
    match stem.is_empty() {
        true => output.to_owned(),
        false => format!("{stem}-{output}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_have_plain_names() {
        let check =
            |source: &str, expected: &str| assert_eq!(file_name(source, "480p.mp4"), expected, "{source}");
        check("holiday.mov", "holiday-480p.mp4");
        check("../../etc/pass\"wd\r\n.mp4", "etcpasswd-480p.mp4");
        check("休日.mp4", "480p.mp4");
        check("", "480p.mp4");
    }
}
