//! `POST /jobs/{id}/playback`: grants playback of a job's stream.

use crate::{
    http::{body, extract::Owned, problem::Problem},
    playback::{MANIFEST, MASTER, sign},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use vidp_contract::hex;
use vidp_pipeline::{Pipeline, Shared, quiet};
use vidp_record::{job::Job, time::after, view};

/// Default lifetime of a grant in seconds: a long film with pauses.
const LIFETIME: u32 = 6 * 3600;
/// Longest lifetime of a grant in seconds.
const MAX_LIFETIME: u32 = 7 * 24 * 3600;
/// Bytes of the key that signs a job's grants.
const KEY: usize = 32;

/// The playback that a client asks for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PlaybackRequest)]
pub(crate) struct Wanted {
    /// Lifetime of the grant in seconds. Default: 21600, six hours. It ends with the job at the latest.
    #[schema(minimum = 1, maximum = 604_800)]
    seconds: Option<u32>,
}

/// The URLs of a stream. Each client that has one can play the job until the grant ends.
#[derive(Serialize, ToSchema)]
#[schema(as = Playback)]
pub(crate) struct PlaybackView {
    /// Path of the playlist for players of HLS.
    hls: String,
    /// Path of the manifest for players of DASH; `null` while the stream is not complete.
    dash: Option<String>,
    /// Path of a page with a player, for an `<iframe>`.
    embed: String,
    /// When the grant ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Option<String>,
}

/// Grant playback of a job.
///
/// Returns URLs that a player opens without an API key. Each is a secret until the grant ends. The job needs a stream, by the
/// option `scale.stream`. A job with `playable_at` can be played by HLS, also while its film is made.
#[utoipa::path(
    post, path = "", operation_id = "createPlayback", tag = "Playback",
    params(("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    request_body(content = Option<Wanted>, example = json!({ "seconds": 3600 })),
    responses((status = 200, description = "The URLs.", body = PlaybackView)),
    extensions(("x-problems" = json!(["not_found", "conflict", "unsupported_content_type"]))),
)]
pub(crate) async fn create(
    State(pipeline): State<Shared>,
    Owned(job): Owned<Job>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let wanted: Wanted = body::optional_json(&headers, body)?;
    let seconds = wanted.seconds.unwrap_or(LIFETIME);
    if !(1..=MAX_LIFETIME).contains(&seconds) {
        return Err(Problem::invalid(format!("seconds must be 1 to {MAX_LIFETIME}")));
    }
    let is_complete = job.has_stream();
    if !is_complete && job.growing_stream().is_none_or(|stream| stream.parts == 0) {
        return Err(Problem::conflict(match job.options.scale.stream {
            true => {
                "the job has no stream: its stage scale has not made the first part yet, or its renditions cannot be streamed"
            }
            false => "the job has no stream: send the video again with the option scale.stream",
        }));
    }
    let key = key(&pipeline, &job).await?;
    let ends = after(Duration::from_secs(seconds.into()));
    let ends = job.expires_at.map_or(ends, |expiry| ends.min(expiry));
    let grant = sign(
        &key,
        job.id,
        u64::try_from(ends.timestamp_millis() / 1000).unwrap_or(0),
    );
    let url = |file: &str| format!("/api/v1/play/{grant}/{file}");
    let view = PlaybackView {
        hls: url(MASTER),
        dash: is_complete.then(|| url(MANIFEST)),
        embed: format!("/embed/{grant}"),
        expires_at: view::time(Some(ends)),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

/// The key that signs the job's grants. The first grant makes one.
async fn key(pipeline: &Pipeline, job: &Job) -> Result<String, Problem> {
    if let Some(key) = &job.playback_key {
        return Ok(key.clone());
    }
    let mut new = [0; KEY];
    getrandom::fill(&mut new).map_err(Problem::internal)?;
    let changed = quiet::allow_playback(pipeline, job.id, &hex(&new)).await?;
    let job = match changed {
        Some(job) => job,
        // Another request was first.
        None => pipeline.db.get(&job.tenant, job.id).await?,
    };
    job.playback_key
        .ok_or_else(|| Problem::conflict("the playback of the job was revoked at this moment"))
}
