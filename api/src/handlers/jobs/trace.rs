//! The span and the metrics of an upload.

use super::{form::length, received::Received};
use crate::{auth::Caller, http::problem::Problem, metrics::UploadWatch, state::Intake};
use axum::{extract::Request, http::HeaderMap};
use tracing::{Instrument, field::Empty};
use vidp_common::trace;
use vidp_contract::TraceParent;

/// Receives an upload in its own span and counts its outcome.
pub(crate) async fn watched<F>(
    intake: &Intake,
    caller: &Caller,
    request: Request,
    receive: impl FnOnce(Request) -> F,
) -> Result<Received, Problem>
where
    F: Future<Output = Result<Received, Problem>>,
{
    let mut watch = UploadWatch::start();
    let span = tracing::info_span!(
        "upload",
        otel.kind = "server",
        tenant = caller.tenant,
        key = caller.key_id,
        job = Empty,
        trace_id = Empty
    );
    if let Some(trace) = clients_trace(request.headers()) {
        trace::adopt(&trace, &span);
    }
    let announced = length(request.headers()).unwrap_or(0);
    let _permit = intake.limits.upload(&intake.pipeline, caller, announced).await?;
    let received = receive(request).instrument(span).await;
    match &received {
        Ok(Received { replayed: true, .. }) => watch.replayed(),
        // The server fetches the source of a reference later.
        Ok(received) if received.job.fetch.is_some() => watch.accepted(0),
        Ok(received) => watch.accepted(received.job.source.size.cast_unsigned()),
        Err(_) => watch.refused(),
    }
    received
}

/// The trace of the client, to which the trace of the job then belongs.
fn clients_trace(headers: &HeaderMap) -> Option<TraceParent> {
    TraceParent::parse(headers.get(trace::HEADER)?.to_str().ok()?)
}
