//! The language worker: serves the queue of its role, `detect` or `subtitle`.

use anyhow::Result;
use clap::Parser;
use serde_json::json;
use std::{path::PathBuf, sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;
use vidp_common::{config::ServiceCommand, service, telemetry};
use vidp_contract::{DetectOptions, SubtitleOptions};
use vidp_worker::ffmpeg::Input;
use worker_lang::{
    config::{Command, Config, Role},
    detect,
    engine::Engine,
    fetch, subtitle,
    words::join,
};

#[tokio::main]
async fn main() -> Result<()> {
    let mut config = Config::parse();
    let (stage, port) = (config.role.stage(), config.role.port());
    if let Some(Command::Service(ServiceCommand::Healthcheck { ready })) = config.command {
        return service::healthcheck(config.worker.address(port), ready).await;
    }
    // whisper.cpp tells much of every call.
    let filter = &mut config.worker.log.filter;
    if !filter.contains("whisper_rs") {
        filter.insert_str(0, "whisper_rs=warn,");
    }
    let _telemetry = telemetry::init(&config.worker.log, &format!("worker-{stage}"))?;
    // Before anything that takes long: as the first process of a container it would otherwise not hear SIGTERM at all.
    let shutdown = service::shutdown_signal()?;
    tokio::select! {
        fetched = fetch::models(&mut config.engine, &config.worker) => fetched?,
        () = shutdown.cancelled() => return Ok(()),
    }
    let engine = Arc::new(Engine::load(&config.engine, config.worker.slots)?);
    if let Some(Command::Bench { files }) = config.command {
        return bench(engine, config.role, files).await;
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

/// Runs the stage's own code on local files. The time is that of the file alone, without loading the model.
async fn bench(engine: Arc<Engine>, role: Role, files: Vec<PathBuf>) -> Result<()> {
    let never = CancellationToken::new();
    for file in files {
        let (started, input) = (Instant::now(), Input::File(&file));
        let engine = engine.clone();
        let mut line = match role {
            Role::Detect => match detect::detect(engine, input, &DetectOptions::default(), |_| {}, &never)
                .await
            {
                Ok(report) => json!({ "language": report.language.code, "confidence": report.confidence }),
                Err(error) => json!({ "error": error.to_string() }),
            },
            Role::Subtitle => {
                let options = SubtitleOptions::default();
                match subtitle::transcribe(engine, input, &options, |_, _| {}, &never).await {
                    Ok(transcript) => {
                        let seconds = started.elapsed().as_secs_f64();
                        let words = transcript.segments.iter().flat_map(|segment| &segment.words);
                        let (report, _) = subtitle::caption(&transcript, &options);
                        json!({
                            "language": transcript.language,
                            "duration": transcript.duration,
                            "speed": transcript.duration / seconds,
                            "rules_kept": report.rules_kept,
                            "text": join(words),
                        })
                    }
                    Err(error) => json!({ "error": error.to_string() }),
                }
            }
        };
        line["file"] = json!(file);
        line["seconds"] = json!(started.elapsed().as_secs_f64());
        println!("{line}");
    }
    Ok(())
}
