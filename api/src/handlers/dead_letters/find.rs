//! Loads a dead letter by the id in the path.

use crate::{
    auth::Caller,
    http::{extract::Find, problem::Problem},
    state::AppState,
};
use vidp_common::queue::DeadLetter;

/// Operators see the dead letters of every tenant, so the caller does not matter.
impl Find for DeadLetter {
    async fn find(state: &AppState, _: &Caller, id: &str) -> Result<Self, Problem> {
        let found = state.pipeline.queue.dead_letter(parse_id(id)?).await?;
        found.ok_or_else(no_dead_letter)
    }
}

/// The sequence number of a dead letter; 404 when the text is not a number.
pub(super) fn parse_id(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| no_dead_letter())
}

/// 404: there is no dead letter with this id.
pub(super) fn no_dead_letter() -> Problem {
    Problem::none("dead letter")
}
