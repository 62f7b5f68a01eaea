//! Loads an upload session by the id in the path.

use crate::{
    auth::Caller,
    http::{
        extract::Find,
        problem::{Code, Problem},
    },
    state::AppState,
};
use vidp_record::{
    db::DbError,
    job::{Job, JobStatus},
};

/// The job of an upload session that is still open. A completed upload is a job and is not found here.
pub(crate) struct OpenUpload(pub(super) Job);

impl Find for OpenUpload {
    async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<Self, Problem> {
        let id = id.parse().map_err(|_| no_upload())?;
        match state.pipeline.db.get(&caller.tenant, id).await {
            Ok(job) if job.status == JobStatus::Uploading && job.direct.is_some() => Ok(OpenUpload(job)),
            Ok(_) | Err(DbError::NotFound) => Err(no_upload()),
            Err(error) => Err(error.into()),
        }
    }
}

/// 404: the caller has no open upload with this id.
pub(super) fn no_upload() -> Problem {
    Problem::new(Code::NotFound, "there is no open upload with this id")
}
