//! The program `vidp-api`.

use clap::Parser;
use vidp_api::{config::ApiConfig, start};
use vidp_common::{config::ServiceCommand, service, telemetry};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = ApiConfig::parse();
    if let Some(ServiceCommand::Healthcheck { ready }) = config.command {
        return service::healthcheck(config.bind, ready).await;
    }
    let _telemetry = telemetry::init(&config.log, env!("CARGO_PKG_NAME"))?;
    start::run(config).await
}
