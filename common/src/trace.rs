//! One trace for each job, joined across processes by a `traceparent` in message headers (W3C Trace Context).
//!
//! Spans are those of `tracing`. Without an exporter they cost what a log filter costs, and the trace id still travels,
//! so that the log lines of a job are found by it.

use async_nats::HeaderMap;
use opentelemetry::{
    Context,
    trace::{Span as _, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer},
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::SystemTime};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

/// Name of the header, of messages and of HTTP requests.
pub const HEADER: &str = "traceparent";

/// Where in a trace something was caused: `00-<trace id>-<span id>-<flags>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceParent(String);

impl TraceParent {
    /// Reads a header; `None` when it is not one of version 00, or all zero.
    pub fn parse(header: &str) -> Option<TraceParent> {
        let parent = TraceParent(header.to_owned());
        // The libraries' numbers may have a sign.
        let is_plain = header
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        (is_plain && parent.context()?.is_valid()).then_some(parent)
    }

    /// The one in a message's headers.
    pub fn of_message(headers: Option<&HeaderMap>) -> Option<TraceParent> {
        TraceParent::parse(headers?.get(HEADER)?.as_str())
    }

    /// The place of `span`; `None` when traces are not exported.
    pub fn of(span: &Span) -> Option<TraceParent> {
        let context = span.context();
        let place = context.span().span_context().clone();
        let flags = place.trace_flags().to_u8();
        let text = format!("00-{}-{}-{flags:02x}", place.trace_id(), place.span_id());
        place.is_valid().then_some(TraceParent(text))
    }

    /// The beginning of a trace that nobody exports: its id is the job's.
    pub fn of_job(job: Uuid) -> TraceParent {
        let trace = job.simple().to_string();
        let span = &trace[16..];
        TraceParent(format!("00-{trace}-{span}-00"))
    }

    /// The trace's id, 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }

    /// The header that continues the trace at `span`, or else here.
    pub fn headers(&self, span: &Span) -> HeaderMap {
        let place = TraceParent::of(span);
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, place.as_ref().unwrap_or(self).0.as_str());
        headers
    }

    /// Makes `span`, which must be new, follow on this.
    pub fn adopt(&self, span: &Span) {
        if let Some(place) = self.context() {
            // Fails when traces are not exported.
            let _ = span.set_parent(Context::new().with_remote_span_context(place));
        }
    }

    fn context(&self) -> Option<SpanContext> {
        let parts: Vec<_> = self.0.split('-').collect();
        let ["00", trace, span, flags] = parts[..] else {
            return None;
        };
        (trace.len() == 32 && span.len() == 16 && flags.len() == 2).then_some(())?;
        Some(SpanContext::new(
            TraceId::from_hex(trace).ok()?,
            SpanId::from_hex(span).ok()?,
            TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
            true,
            TraceState::NONE,
        ))
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Adds what happened inside `span` between two times before it, such as the wait in a queue.
pub fn past(span: &Span, name: &'static str, from: SystemTime, until: SystemTime) {
    let tracer = opentelemetry::global::tracer("vidp");
    let builder = tracer.span_builder(name).with_start_time(from);
    let mut wait = tracer.build_with_context(builder, &span.context());
    wait.end_with_timestamp(until);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_strictly() {
        let check = |header: &str, expected: Option<&str>| {
            let parent = TraceParent::parse(header);
            assert_eq!(parent.as_ref().map(TraceParent::trace_id), expected, "{header}");
        };
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Some(trace),
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            Some(trace),
        );
        check("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01", None);
        check("00-4bf92f35-00f067aa0ba902b7-01", None);
        check("00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", None);
        check("", None);
        check("\u{e9}", None);
    }

    #[test]
    fn without_an_exporter_the_id_travels_on() {
        let job = Uuid::parse_str("0190b3a8-6f5e-7c2d-9b1a-3e4f5a6b7c8d").unwrap();
        let parent = TraceParent::of_job(job);
        assert_eq!(TraceParent::parse(&parent.to_string()), Some(parent.clone()));
        assert_eq!(parent.trace_id(), job.simple().to_string());
        let span = tracing::info_span!("publish");
        parent.adopt(&span);
        assert_eq!(TraceParent::of(&span), None);
        let headers = parent.headers(&span);
        assert_eq!(TraceParent::of_message(Some(&headers)), Some(parent));
    }
}
