//! Logs, and traces if a collector is configured.

use crate::config::LogConfig;
#[cfg(debug_assertions)]
use crate::crash;
use anyhow::{Context, Result};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use std::time::Duration;
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, fmt, layer::SubscriberExt, registry::LookupSpan,
    util::SubscriberInitExt,
};

/// How the names of VidP's own crates begin: their spans form the trace of a job. Spans of libraries would be noise.
const OWN: [&str; 2] = ["vidp_", "worker_"];

/// Time limit of an export; spans that the collector has not accepted by then are lost.
const EXPORT_LIMIT: Duration = Duration::from_secs(3);

/// Sends the last spans when it is dropped. Keep it until the end of the process.
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts logging to standard error, as text or as one JSON object for each line.
///
/// Exports spans under the name `service` if the configuration names a collector.
pub fn init(config: &LogConfig, service: &str) -> Result<Telemetry> {
    #[cfg(debug_assertions)]
    config.crash_at.as_deref().inspect(|step| crash::at(step));
    let filter = EnvFilter::try_new(&config.filter).context("VIDP_LOG_FILTER")?;
    let logs = match config.format.as_str() {
        "json" => json().boxed(),
        _ => fmt::layer().with_ansi(false).with_writer(std::io::stderr).boxed(),
    };
    let provider = config
        .otlp_endpoint
        .as_deref()
        .filter(|endpoint| !endpoint.is_empty())
        .map(|endpoint| exporter(endpoint, config.service_name.as_deref().unwrap_or(service)))
        .transpose()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    let spans = provider.as_ref().map(|provider| {
        let own = OWN.map(|target| (target, LevelFilter::INFO));
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("vidp"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_targets(own))
    });
    tracing_subscriber::registry()
        .with(logs.with_filter(filter))
        .with(spans)
        .try_init()
        .context("logging")?;
    Ok(Telemetry(provider))
}

/// Writes one JSON object for each line: the message, and the fields of its spans (job, stage, attempt, trace id).
fn json<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    json_subscriber::layer()
        .flatten_event(true)
        .flatten_span_list_on_top_level(true)
        .with_current_span(false)
        .with_writer(std::io::stderr)
}

/// Sends spans in batches from a separate thread.
fn exporter(endpoint: &str, service: &str) -> Result<SdkTracerProvider> {
    // The process must choose a TLS library; an error means that it has done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(EXPORT_LIMIT)
        .build()?;
    let resource = Resource::builder().with_service_name(service.to_owned()).build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build();
    opentelemetry::global::set_tracer_provider(provider.clone());
    Ok(provider)
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.0
            && let Err(error) = provider.shutdown_with_timeout(EXPORT_LIMIT)
        {
            tracing::warn!("the last spans were not sent: {error}");
        }
    }
}
