//! The VidP API: uploads, polls and outputs over HTTP.
//!
//! This crate contains the HTTP layer only. `vidp_pipeline` moves jobs forward, and `vidp_record` stores them.
//!
//! * `router`: every URL with its required scope. `authorize`: the middleware that checks the scope.
//! * `handlers`: one folder per area, one file per operation or small group of operations.
//! * `http`: bodies, cursors, problems, digests, idempotency keys and extractors, shared by the handlers.
//! * `auth`, `limits`: the caller of a request, and the limits of each caller.
//! * `openapi`: the OpenAPI document, built from the handlers' annotations.
//!
//! To add an operation, write its handler with `#[utoipa::path]` and add its URL to `router`. A handler accepts the parts
//! of `state::AppState` that it uses, and loads the caller's documents through `http::extract::Owned`.

mod auth;
mod authorize;
pub mod config;
mod handlers;
mod http;
mod limits;
mod metrics;
mod openapi;
#[cfg(test)]
mod openapi_tests;
mod router;
pub mod start;
mod state;
