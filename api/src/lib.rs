//! The VidP API: uploads, polls and outputs over HTTP.
//!
//! This crate contains the HTTP layer only. `vidp_pipeline` moves jobs forward, and `vidp_record` stores them.
//!
//! * `router`: every URL with its required scope. `authorize`: the middleware that checks the scope.
//! * `handlers`: one folder per area, one file per operation or small group of operations.
//! * `http`: bodies, cursors, problems, digests, idempotency keys and extractors, shared by the handlers.
//! * `playback`: grants and playlists of streams.
//! * `auth`, `limits`: the caller of a request, and the limits of each caller.
//! * `openapi`: the OpenAPI document, built from the handlers' annotations.
//!
//! To add an operation, write its handler with `#[utoipa::path]` and add its URL to `router`. A handler accepts the parts
//! of `state::AppState` that it uses, and loads the caller's documents through `http::extract::Owned`.

mod auth;
mod authorize;
mod config;
mod handlers;
mod http;
mod limits;
mod metrics;
mod openapi;
#[cfg(test)]
mod openapi_tests;
mod playback;
mod router;
mod start;
mod state;

use clap::Parser;
use config::ApiConfig;
use vidp_common::{config::ServiceCommand, service, telemetry};

/// Runs the program `vidp-api` with the arguments and the environment of this process.
///
/// It is not `async`: the compiler generates the code of an `async fn` in the crate that awaits it, so that the program's
/// crate would compile the whole API again.
pub fn main() -> anyhow::Result<()> {
    service::hide_memory()?;
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let config = ApiConfig::parse();
    if let Some(ServiceCommand::Healthcheck { ready }) = config.command {
        return service::healthcheck(config.probe_bind, ready).await;
    }
    let _telemetry = telemetry::init(&config.log, env!("CARGO_PKG_NAME"))?;
    start::run(config).await
}
