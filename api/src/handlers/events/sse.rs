//! Parts shared by the event streams: the answer, its events and their ids.

use crate::{config::ApiConfig, http::problem::Problem, limits::StreamPermit};
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

/// Time after which a client reconnects.
const RETRY: Duration = Duration::from_secs(2);

/// The id of the last event that the client received.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(id) = headers.get("last-event-id").filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    id.to_str().map(Some).map_err(|_| unknown_id())
}

/// 400: the id is not one of this stream.
pub(super) fn unknown_id() -> Problem {
    Problem::invalid("Last-Event-ID is not an id of this stream")
}

/// Streams events until the client disconnects, and holds the permit until then. The next event is created only after the
/// previous one was sent, so a slow client occupies the memory of one event.
pub(super) fn answer(
    config: &ApiConfig,
    permit: StreamPermit,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Response {
    let heartbeat = Duration::from_secs(config.event_heartbeat_seconds);
    let events = futures_util::StreamExt::map(events, move |event| {
        let _held = &permit;
        Ok::<_, Infallible>(event)
    });
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(heartbeat))
        .into_response();
    // Without this header nginx delays events until its buffer is full.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// The first block of a stream: the reconnection time. It has no data, so clients do not see it as an event.
pub(super) fn opening() -> Event {
    Event::default().retry(RETRY)
}

/// An event with the job, or with only the id of a deleted job.
pub(super) fn event(name: &str, job: &Job) -> Event {
    let data = match job.deleted_at {
        None => json!(view::job(job)),
        Some(_) => json!({ "id": job.id }),
    };
    // `data` must be a single line, which compact JSON is.
    Event::default().event(name).data(data.to_string())
}
