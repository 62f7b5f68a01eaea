//! Logs.

use crate::config::LogConfig;
use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error, as text or as one JSON object a line.
pub fn init(config: &LogConfig) -> Result<()> {
    let filter = EnvFilter::try_new(&config.filter).context("VIDP_LOG_FILTER")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match config.format.as_str() {
        "json" => builder.json().flatten_event(true).try_init(),
        _ => builder.with_ansi(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging: {error}"))
}
