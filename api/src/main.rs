//! The VidP API: takes uploads, keeps the record of jobs, hands out tasks, answers polls.

mod app;
mod batch;
mod batches;
mod body;
mod caller;
mod cancel;
mod changes;
mod config;
mod cursor;
mod db;
mod dead_letters;
mod direct;
mod dispatch;
mod docs;
mod events;
mod fetch;
mod headers;
mod health;
mod idempotency;
mod job;
mod jobs;
mod keys;
mod limits;
mod metrics;
mod openapi;
mod options;
mod outbound;
mod outputs;
mod patch;
mod plan;
mod problem;
mod processing;
mod range;
mod reference;
mod results;
mod routes;
mod start;
mod sweep;
mod tus;
mod upload;
mod view;
mod web;
mod webhook;
mod webhooks;

use clap::Parser;
use vidp_common::{config::ServiceCommand, service, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = config::ApiConfig::parse();
    if let Some(ServiceCommand::Healthcheck { ready }) = config.command {
        return service::healthcheck(config.bind, ready).await;
    }
    let _telemetry = telemetry::init(&config.log, env!("CARGO_PKG_NAME"))?;
    start::run(config).await
}
