//! Server-sent events (WHATWG HTML, "Server-sent events"): jobs as they change, resumable at any replica.
//!
//! An event has the whole job, so that whoever missed some knows everything from the next one. The ids say where to
//! go on: for one job its revision, for all of them the place in MongoDB's change stream.

pub mod feed;
pub mod job;

use crate::{config::ApiConfig, http::problem::Problem};
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::Stream;
use serde_json::json;
use std::{convert::Infallible, time::Duration};
use vidp_record::{job::Job, view};

/// When a client comes again after its connection broke.
const RETRY: Duration = Duration::from_secs(2);

/// The id of the last event that the client has seen.
fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    id.to_str().map(Some).map_err(|_| foreign_id())
}

fn foreign_id() -> Problem {
    Problem::invalid("Last-Event-ID is not one that this stream gave")
}

/// Streams events for as long as the client listens. It is asked for the next one only when the last is on its way:
/// a slow client holds one event.
fn answer(config: &ApiConfig, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let heartbeat = Duration::from_secs(config.event_heartbeat_seconds);
    let events = futures_util::StreamExt::map(events, Ok::<_, Infallible>);
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(heartbeat))
        .into_response();
    // nginx would hold events back to fill its buffer.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// The first block: how soon to come again, and from where. It has no data, and is no event to the client.
fn opening() -> Event {
    Event::default().retry(RETRY)
}

/// A job as it is now; of a deleted one only the id.
fn event(name: &str, job: &Job) -> Event {
    let data = match job.deleted_at {
        None => json!(view::job(job)),
        Some(_) => json!({ "id": job.id }),
    };
    // JSON on one line: what `data` needs.
    Event::default().event(name).data(data.to_string())
}
