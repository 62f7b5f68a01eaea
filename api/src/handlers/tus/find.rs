//! Loads an upload session by the id in the path.

use crate::{
    auth::Caller,
    http::{
        extract::Find,
        problem::{Code, Problem},
    },
    state::AppState,
};
use uuid::Uuid;
use vidp_record::{
    api_key::Scope,
    db::{Db, DbError},
    resumable::Resumable,
};

impl Find for Resumable {
    async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<Self, Problem> {
        let id = id.parse().map_err(|_| no_upload())?;
        match state.pipeline.db.resumable(&caller.tenant, id).await {
            Ok(upload) if may_use(caller, &upload) => Ok(upload),
            Ok(_) | Err(DbError::NotFound) => Err(no_upload()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The caller's uploads among those with these ids.
pub(super) async fn find_all(db: &Db, caller: &Caller, ids: &[Uuid]) -> Result<Vec<Resumable>, Problem> {
    let mut found = db.resumables_of(&caller.tenant, ids).await?;
    found.retain(|upload| may_use(caller, upload));
    Ok(found)
}

/// True for the key that created the upload, and for keys that may change all jobs.
fn may_use(caller: &Caller, upload: &Resumable) -> bool {
    caller.has(Scope::JobsWrite) || upload.key_id == caller.key_id
}

/// 404: the upload does not exist, has expired or was deleted.
pub(super) fn no_upload() -> Problem {
    Problem::new(
        Code::NotFound,
        "there is no upload at this address; it may have expired or been deleted",
    )
}
