//! One trace for each job across processes: message headers carry its `traceparent` (W3C Trace Context).
//!
//! Spans are those of `tracing`. Without an exporter they cost as much as a log filter. The trace id is passed on even
//! then, so that it finds the log lines of a job.

use async_nats::HeaderMap;
use opentelemetry::{
    Context,
    trace::{Span as _, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer},
};
use std::time::SystemTime;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use vidp_contract::TraceParent;

/// Name of the header in messages and HTTP requests.
pub const HEADER: &str = "traceparent";

/// Reads the position in the trace from the headers of a message.
pub fn of_message(headers: Option<&HeaderMap>) -> Option<TraceParent> {
    TraceParent::parse(headers?.get(HEADER)?.as_str())
}

/// Position of `span` in its trace; `None` when traces are not exported.
pub fn of_span(span: &Span) -> Option<TraceParent> {
    let context = span.context();
    let place = context.span().span_context().clone();
    let flags = place.trace_flags().to_u8();
    TraceParent::parse(&format!(
        "00-{}-{}-{flags:02x}",
        place.trace_id(),
        place.span_id()
    ))
}

/// Headers that continue the trace at `span`, or at `parent` when traces are not exported.
pub fn headers(parent: &TraceParent, span: &Span) -> HeaderMap {
    let place = of_span(span);
    let mut headers = HeaderMap::new();
    headers.insert(HEADER, place.as_ref().unwrap_or(parent).to_string());
    headers
}

/// Sets the parent of `span`, which must be new.
pub fn adopt(parent: &TraceParent, span: &Span) {
    if let Some(place) = context(parent) {
        // An error means that traces are not exported.
        let _ = span.set_parent(Context::new().with_remote_span_context(place));
    }
}

fn context(parent: &TraceParent) -> Option<SpanContext> {
    let text = parent.to_string();
    let parts: Vec<_> = text.split('-').collect();
    let [_, trace, span, flags] = parts[..] else {
        return None;
    };
    Some(SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::NONE,
    ))
}

/// Records a child of `span` for an interval in the past, such as the wait in a queue.
pub fn past(span: &Span, name: &'static str, from: SystemTime, until: SystemTime) {
    let tracer = opentelemetry::global::tracer("vidp");
    let builder = tracer.span_builder(name).with_start_time(from);
    let mut wait = tracer.build_with_context(builder, &span.context());
    wait.end_with_timestamp(until);
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn without_an_exporter_the_trace_id_still_travels() {
        let parent = TraceParent::of_job(Uuid::now_v7());
        let span = tracing::info_span!("publish");
        adopt(&parent, &span);
        assert_eq!(of_span(&span), None);
        let headers = headers(&parent, &span);
        assert_eq!(of_message(Some(&headers)), Some(parent));
    }
}
