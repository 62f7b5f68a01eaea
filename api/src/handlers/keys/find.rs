//! Loads an API key by the id in the path.

use crate::{
    auth::Caller,
    http::{extract::Find, problem::Problem},
    state::AppState,
};
use vidp_record::api_key::Key;

/// Operators see the keys of every tenant, so the caller does not matter.
impl Find for Key {
    async fn find(state: &AppState, _: &Caller, id: &str) -> Result<Self, Problem> {
        let no_key = || Problem::none("key");
        let id = id.parse().map_err(|_| no_key())?;
        state.pipeline.db.key(id).await?.ok_or_else(no_key)
    }
}
