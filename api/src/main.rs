//! The VidP API: takes uploads, keeps the record of jobs, hands out tasks, answers polls.

mod app;
mod changes;
mod config;
mod db;
mod dispatch;
mod health;
mod job;
mod jobs;
mod options;
mod outputs;
mod plan;
mod problem;
mod range;
mod results;
mod routes;
mod start;
mod sweep;
mod upload;
mod view;

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = config::ApiConfig::parse();
    vidp_common::telemetry::init(&config.log)?;
    start::run(config).await
}
