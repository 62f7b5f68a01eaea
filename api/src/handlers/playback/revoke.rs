//! `DELETE /jobs/{id}/playback`: ends all grants of a job.

use crate::http::{extract::Owned, problem::Problem};
use axum::{extract::State, http::StatusCode};
use vidp_pipeline::{Shared, quiet};
use vidp_record::job::Job;

/// Revoke the playback of a job.
///
/// Ends all grants of the job within five seconds. Players keep what they have loaded, and a URL of the object store that a player has
/// just received is valid for two minutes.
#[utoipa::path(
    delete, path = "", operation_id = "revokePlayback", tag = "Playback",
    params(("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 204, description = "The job has no valid grants.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub(crate) async fn revoke(
    State(pipeline): State<Shared>,
    Owned(job): Owned<Job>,
) -> Result<StatusCode, Problem> {
    quiet::revoke_playback(&pipeline, job.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
