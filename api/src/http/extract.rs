//! Extractors: queries, and the caller's own documents.

use crate::{auth::Caller, http::problem::Problem, state::AppState};
use axum::{
    extract::{FromRequestParts, Query, RawPathParams},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use vidp_record::{batch::Batch, db::DbError, job::Job};

/// A query that is read strictly; 400 with the reason for an invalid one.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Params(query)),
            Err(error) => Err(Problem::invalid(error.body_text())),
        }
    }
}

/// A document that the `{id}` of a path can name.
pub(crate) trait Find: Sized {
    /// Loads the document if the caller may see it.
    ///
    /// # Errors
    /// The same 404 for a document of another tenant, a malformed id and an unknown id.
    fn find(
        state: &AppState,
        caller: &Caller,
        id: &str,
    ) -> impl Future<Output = Result<Self, Problem>> + Send;
}

/// The document that the `{id}` of the path names, loaded for the caller; 404 if the caller has no such document.
pub(crate) struct Owned<T>(pub(crate) T);

impl<T: Find> FromRequestParts<AppState> for Owned<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|error| Problem::invalid(error.body_text()))?;
        let id = params.iter().find(|(name, _)| *name == "id");
        let id = id.map(|(_, id)| id).unwrap_or_default();
        T::find(state, &caller, id).await.map(Owned)
    }
}

/// Parses the id of a job in a path; 404 for a malformed one.
pub(crate) fn job_id(id: &str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| Problem::no_job())
}

impl Find for Job {
    async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<Self, Problem> {
        Ok(state.pipeline.db.get(&caller.tenant, job_id(id)?).await?)
    }
}

impl Find for Batch {
    async fn find(state: &AppState, caller: &Caller, id: &str) -> Result<Self, Problem> {
        let id = id.parse().map_err(|_| Problem::none("batch"))?;
        let found = state.pipeline.db.batch(&caller.tenant, id).await;
        found.map_err(|error| error_or_none(error, "batch"))
    }
}

/// 404 naming `what` if the document was not found; otherwise the problem for the error of the record.
pub(crate) fn error_or_none(error: DbError, what: &str) -> Problem {
    match error {
        DbError::NotFound => Problem::none(what),
        error => error.into(),
    }
}
