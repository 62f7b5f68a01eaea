//! Loads a webhook by the id in the path.

use crate::{
    auth::Caller,
    http::{
        extract::{Find, error_or_none},
        problem::Problem,
    },
    state::AppState,
};
use vidp_record::{db::DbError, webhook::Webhook};

const WEBHOOK: &str = "webhook";

impl Find for Webhook {
    async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<Self, Problem> {
        let id = id.parse().map_err(|_| no_webhook())?;
        let found = state.pipeline.db.webhook(&caller.tenant, id).await;
        found.map_err(problem)
    }
}

/// 404 for a webhook that does not exist; the usual problem for any other error.
pub(super) fn problem(error: DbError) -> Problem {
    error_or_none(error, WEBHOOK)
}

/// 404: the caller has no webhook with this id.
pub(super) fn no_webhook() -> Problem {
    Problem::none(WEBHOOK)
}
