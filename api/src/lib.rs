//! The VidP API: HTTP alone. It accepts uploads, answers polls and hands out outputs; what happens to a job is the
//! business of `vidp_pipeline`, what is stored of it that of `vidp_record`.
//!
//! * [`router`]: every URL with the scope that it needs. [`authorize`]: the middleware that asks for it.
//! * `handlers`: one folder per area, one file per operation or small group of operations.
//! * `http`: bodies, cursors, problems, digests, idempotency keys and extractors, shared by the handlers.
//! * `auth`, `limits`: who calls, and how much one caller may use.
//! * `openapi`: the document that is built from the handlers' annotations.
//!
//! To add an operation: write its handler with `#[utoipa::path]`, and name its URL in [`router`]. A handler takes the
//! parts of [`state::AppState`] that it uses, and the caller's own documents by [`http::extract::Owned`].

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
