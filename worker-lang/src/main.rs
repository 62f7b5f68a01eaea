//! The language worker: serves the queue of its role, `detect` or `subtitle`.

use anyhow::Result;
use clap::Parser;
use std::sync::Arc;
use vidp_common::{config::ServiceCommand, service, telemetry};
use worker_lang::{
    Engine, bench,
    config::{Command, Config, Role},
    detect, fetch_models, subtitle,
};

#[tokio::main]
async fn main() -> Result<()> {
    service::hide_memory()?;
    let mut config = Config::parse();
    let (stage, port) = (config.role.stage(), config.role.port());
    if let Some(Command::Service(ServiceCommand::Healthcheck { ready })) = config.command {
        return service::healthcheck(config.worker.address(port), ready).await;
    }
    // whisper.cpp logs many lines for every call.
    let filter = &mut config.worker.log.filter;
    if !filter.contains("whisper_rs") {
        filter.insert_str(0, "whisper_rs=warn,");
    }
    let _telemetry = telemetry::init(&config.worker.log, &format!("worker-{stage}"))?;
    // The first process of a container ignores SIGTERM until it installs a handler, so this precedes all slow steps.
    let shutdown = service::shutdown_signal()?;
    tokio::select! {
        fetched = fetch_models(&mut config.engine, &config.worker) => fetched?,
        () = shutdown.cancelled() => return Ok(()),
    }
    let engine = Arc::new(Engine::load(&config.engine, config.worker.slots)?);
    if let Some(Command::Bench { files }) = config.command {
        bench::run(engine, config.role, files).await;
        return Ok(());
    }
    match config.role {
        Role::Detect => {
            vidp_worker::serve(stage, port, config.worker, shutdown, move |attempt| {
                detect::run(engine.clone(), attempt)
            })
            .await
        }
        Role::Subtitle => {
            vidp_worker::serve(stage, port, config.worker, shutdown, move |attempt| {
                subtitle::run(engine.clone(), attempt)
            })
            .await
        }
    }
}
