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
    db::{Db, DbError},
    resumable::Resumable,
};

impl Find for Resumable {
    async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<Self, Problem> {
        find(&state.pipeline.db, caller, id).await
    }
}

/// The caller's upload with this id.
pub(super) async fn find(db: &Db, caller: &Caller, id: &str) -> Result<Resumable, Problem> {
    let id = id.parse().map_err(|_| no_upload())?;
    match db.resumable(&caller.tenant, id).await {
        Ok(upload) => Ok(upload),
        Err(DbError::NotFound) => Err(no_upload()),
        Err(error) => Err(error.into()),
    }
}

/// 404: the upload does not exist, has expired or was deleted.
pub(super) fn no_upload() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no upload at this address; it may have expired or been deleted",
    )
}
