//! `vidp up`: the whole system on one machine.

/// `eprintln!`, but a reader that went away does not end the system.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod engines;
mod service;
mod state;
mod system;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::{io::Write, path::PathBuf, sync::Arc};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

pub use system::System;

/// What to run, and where.
#[derive(Args, Clone)]
pub struct Up {
    /// Folder of everything that is kept: databases, objects, logs
    #[arg(long, default_value = ".vidp")]
    pub data_dir: PathBuf,
    /// Port of the API on 127.0.0.1; 0 for any free one
    #[arg(long, default_value_t = 8000)]
    pub api_port: u16,
    /// Workers that make renditions
    #[arg(long, default_value_t = 1)]
    pub scale_workers: usize,
    /// Workers that find the spoken language
    #[arg(long, default_value_t = 1)]
    pub detect_workers: usize,
    /// Workers that write subtitles
    #[arg(long, default_value_t = 1)]
    pub subtitle_workers: usize,
    /// Speech model: a file, or the name of one in .engines/models; it wins over VIDP_WHISPER_MODEL
    #[arg(long, value_name = "NAME|FILE")]
    pub model: Option<String>,
    /// Print where it is as JSON, once it is ready
    #[arg(long)]
    pub json: bool,
}

/// Set once the system is to end: by SIGINT or SIGTERM, mostly.
#[derive(Clone)]
pub struct Stopping(Arc<watch::Sender<bool>>);

impl Stopping {
    /// Takes over both signals from here on.
    pub fn on_signal() -> Result<Stopping> {
        let stopping = Stopping(Arc::new(watch::Sender::new(false)));
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let told = stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            told.set();
        });
        Ok(stopping)
    }

    /// Sets it.
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Until it is set.
    pub async fn wait(&self) {
        // The sender lives as long as `self`: there is always an answer.
        let _ = self.0.subscribe().wait_for(|set| *set).await;
    }
}

/// Runs the system until a signal.
pub async fn run(up: Up) -> Result<()> {
    let stopping = Stopping::on_signal()?;
    // Starting, watching and stopping processes blocks; only the signals are asynchronous.
    tokio::task::spawn_blocking(move || {
        let Some(mut system) = System::start(&up, &stopping)? else {
            return Ok(()); // The signal came first.
        };
        let (url, pid) = (system.url(), std::process::id());
        let ready = match up.json {
            true => json!({ "url": url, "pid": pid, "data_dir": system.data_dir() }).to_string(),
            false => format!("ready at {url}"),
        };
        // A reader that went away does not end the system.
        let _ = writeln!(std::io::stdout(), "{ready}");
        system.watch(&stopping);
        say!("stopping");
        system.stop();
        Ok(())
    })
    .await?
}
