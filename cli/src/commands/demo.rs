//! `vidp demo`: starts the whole system, processes one video, and stops the system.

use super::{
    submit,
    up::{Stopping, System, Up},
    watch::{self, Show},
};
use crate::{client::Client, ui::exit};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};
use tokio::task::spawn_blocking;

/// Arguments of `vidp demo`.
#[derive(Args)]
pub struct Demo {
    /// Video to process
    #[arg(default_value = "samples/clip.mp4")]
    video: PathBuf,
    /// Folder for databases, objects, logs and results
    #[arg(long, default_value = ".vidp/demo")]
    data_dir: PathBuf,
    /// Speech model: a file, or the name of a model in .engines/models
    #[arg(long, value_name = "NAME|FILE")]
    model: Option<String>,
    /// Print only the job document on standard output
    #[arg(long)]
    json: bool,
}

/// Runs `vidp demo`: starts the system, submits the video, shows the report and stops the system.
pub async fn run(demo: Demo) -> Result<ExitCode> {
    submit::check_file(&demo.video)?;
    let stopping = Stopping::on_signal()?;
    let up = Up {
        data_dir: demo.data_dir.clone(),
        api_port: 0,
        scale_workers: 1,
        detect_workers: 1,
        subtitle_workers: 1,
        model: demo.model.clone(),
        json: false,
    };
    let signal = stopping.clone();
    let Some(mut system) = spawn_blocking(move || System::start(&up, &signal)).await?? else {
        bail!("stopped");
    };
    let client = Client::new(&system.url(), None)?;
    let signal = stopping.clone();
    let watching = spawn_blocking(move || {
        system.watch(&signal);
        system.stop();
    });
    let done = tokio::select! {
        code = process(&client, &demo) => code,
        () = stopping.wait() => Err(anyhow::anyhow!("stopped")),
    };
    stopping.set();
    watching.await?;
    done
}

async fn process(client: &Client, demo: &Demo) -> Result<ExitCode> {
    eprintln!("uploading {}", demo.video.display());
    let job = submit::upload(client, &demo.video, &json!({})).await?;
    let show = Show {
        json: demo.json,
        out: Some(demo.data_dir.join("results").join(&job.id)),
        play: false,
    };
    let job = watch::finish(client, &job.id, &show, false).await?;
    Ok(exit::code_of_jobs([&job]))
}
