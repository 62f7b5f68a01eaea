//! Logs, and traces when there is a collector.

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

/// The crates whose spans make up a job's trace; those of libraries would be noise.
const OWN: [&str; 4] = ["vidp_common", "vidp_api", "worker_lang", "worker_scale"];

/// A collector that does not answer by then loses the spans.
const EXPORT_LIMIT: Duration = Duration::from_secs(3);

/// Ends the process's telemetry when it is dropped: the last spans are sent.
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts logging to standard error, as text or as one JSON object a line; and exporting spans, under the name of
/// `service`, if the configuration names a collector.
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

/// One JSON object a line, with what the spans around it know (job, stage, attempt, trace id) beside the message.
fn json<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    json_subscriber::layer()
        .flatten_event(true)
        .flatten_span_list_on_top_level(true)
        .with_current_span(false)
        .with_writer(std::io::stderr)
}

/// Sends spans in batches, from a thread of its own.
fn exporter(endpoint: &str, service: &str) -> Result<SdkTracerProvider> {
    // One of the process's TLS libraries must be named; an error says that it has been.
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
