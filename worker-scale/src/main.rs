//! The `scale` worker: makes renditions, a poster and a storyboard of each video in its queue.

use clap::Parser;
use std::sync::Arc;
use vidp_common::{config::ServiceCommand, service, telemetry};
use vidp_contract::Stage;
use worker_scale::{Config, Settings, scale};

/// Port of the health and metrics endpoints.
const PORT: u16 = 8003;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    service::hide_memory()?;
    let config = Config::parse();
    if let Some(ServiceCommand::Healthcheck { ready }) = config.command {
        return service::healthcheck(config.worker.address(PORT), ready).await;
    }
    let _telemetry = telemetry::init(&config.worker.log, env!("CARGO_PKG_NAME"))?;
    let settings = Arc::new(Settings {
        slots: config.worker.slots,
        ..config.settings
    });
    vidp_worker::main(Stage::Scale, PORT, config.worker, move |attempt| {
        scale(attempt, settings.clone())
    })
    .await
}
