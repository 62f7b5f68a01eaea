//! Extractors: queries, and the caller's own documents.

use crate::{auth::Caller, http::problem::Problem, state::AppState};
use axum::{
    extract::{FromRequestParts, Query, RawPathParams},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;
use vidp_record::{batch::Batch, db::DbError, job::Job};

/// A query that is read strictly; a wrong one is a 400 that says why.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Params(query)),
            Err(error) => Err(Problem::invalid(error.body_text())),
        }
    }
}

/// A document that a path's `{id}` can name.
pub trait Find: Sized {
    /// Loads the document if the caller may see it. A document of another tenant, a malformed id and an unknown id are
    /// the same 404.
    fn find(
        state: &AppState,
        caller: &Caller,
        id: &str,
    ) -> impl Future<Output = Result<Self, Problem>> + Send;
}

/// The document that the path's `{id}` names, loaded for its caller; 404 when the caller has no such document.
pub struct Owned<T>(pub T);

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

/// A job's id in a path.
pub fn job_id(id: &str) -> Result<Uuid, Problem> {
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

/// 404 for a document that is not there, named by `what`; the error of the record otherwise.
pub fn error_or_none(error: DbError, what: &str) -> Problem {
    match error {
        DbError::NotFound => Problem::none(what),
        error => error.into(),
    }
}
