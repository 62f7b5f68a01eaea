//! `GET /events`: the events of all jobs of a tenant.

use super::sse::{answer, event, last_event_id, opening, unknown_id};
use crate::{auth::Caller, config::ApiConfig, http::problem::Problem, limits::Limits};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use futures_util::{StreamExt, stream};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use vidp_pipeline::Shared;
use vidp_record::{
    changes::{Change, Position},
    job::Job,
    missed::{Missed, MissedError},
};

/// Follow all jobs.
///
/// Server-sent events: every change of the tenant's jobs, from now or from `Last-Event-ID` on. `data` is the job.
#[utoipa::path(
    get, path = "", operation_id = "followJobs", tag = "Events",
    params(("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event that the client received.",
        example = "826A1F0C9E000000012B0429296E1404")),
    responses((status = 200, description = "Events, until the client disconnects.", content_type = "text/event-stream",
        body = String, example = json!("id: 826A\nevent: status\ndata: {\"id\":\"0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91\"}\n\n"))),
    extensions(("x-problems" = json!(["too_many_streams"]))),
)]
pub(crate) async fn follow(
    State(pipeline): State<Shared>,
    State(config): State<Arc<ApiConfig>>,
    State(limits): State<Arc<Limits>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = match last_event_id(&headers)? {
        Some(id) => Some(Position::parse(id).ok_or_else(unknown_id)?),
        None => None,
    };
    let permit = limits.stream(&caller)?;
    let live = pipeline.changes.subscribe();
    let reached = pipeline.changes.reached().ok_or_else(|| {
        Problem::unavailable("the change stream", "it is not open yet, or is being reopened")
    })?;
    let seen = known.clone().unwrap_or_else(|| reached.clone());
    let start = Event::id(opening(), seen.as_str());
    let mut feed = Feed {
        pipeline,
        tenant: caller.tenant,
        live,
        seen,
        missed: None,
    };
    let mut first = vec![start];
    if known.is_some_and(|known| known != reached) {
        // Catch up before the answer starts, so that the status reports an id that MongoDB cannot read. An id from a replica
        // that is ahead is valid.
        first.extend(feed.catch_up(reached).await?);
    }
    let events = stream::unfold(feed, async |mut feed| {
        feed.next().await.map(|event| (event, feed))
    });
    Ok(answer(&config, permit, stream::iter(first).chain(events)))
}

/// The state of one stream.
struct Feed {
    pipeline: Shared,
    tenant: String,
    live: Receiver<Change>,
    /// The client has received every change up to this position.
    seen: Position,
    /// Changes to read from MongoDB, because they happened before the connection or faster than the client reads; and the
    /// position from which the shared stream contains them.
    missed: Option<(Missed, Position)>,
}

impl Feed {
    /// The next event. The stream ends at shutdown, and when MongoDB cannot read the missed changes: the client then
    /// reconnects with its latest id.
    async fn next(&mut self) -> Option<Event> {
        let shutdown = self.pipeline.shutdown.clone();
        loop {
            if let Some((missed, until)) = self.missed.take() {
                if shutdown.is_cancelled() {
                    return None;
                }
                match self.read(missed, until).await {
                    Ok(Some(event)) => return Some(event),
                    Ok(None) => continue,
                    Err(error) => {
                        tracing::warn!("an event stream ends early: {error}");
                        return None;
                    }
                }
            }
            let change = tokio::select! {
                change = self.live.recv() => change,
                () = shutdown.cancelled() => return None,
            };
            match change {
                Ok(Change::Stored(position, job)) if position > self.seen => {
                    self.seen = position;
                    if let Some(event) = self.event(&job) {
                        return Some(event);
                    }
                }
                // An id without data moves the client's position although none of its jobs has changed.
                Ok(Change::Quiet(position)) if position > self.seen => {
                    self.seen = position;
                    return Some(Event::default().comment("quiet").id(self.seen.as_str()));
                }
                Ok(Change::Stored(..) | Change::Quiet(_)) => {}
                Ok(Change::Gap) | Err(RecvError::Lagged(_)) => {
                    // MongoDB has the changes that the channel has dropped.
                    self.live = self.pipeline.changes.subscribe();
                    let until = self.pipeline.changes.reached()?;
                    if until <= self.seen {
                        continue;
                    }
                    match self.catch_up(until).await {
                        Ok(None) => {}
                        Ok(reset) => return reset,
                        Err(_) => return None,
                    }
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Starts reading missed changes. Returns the event `reset` when MongoDB no longer stores them.
    async fn catch_up(&mut self, until: Position) -> Result<Option<Event>, Problem> {
        match Missed::open(&self.pipeline.db, &self.seen).await {
            Ok(missed) => {
                self.missed = Some((missed, until));
                Ok(None)
            }
            Err(MissedError::Forgotten) => Ok(Some(self.reset(until))),
            Err(MissedError::Refused) => Err(unknown_id()),
            Err(MissedError::Db(error)) => Err(error.into()),
        }
    }

    /// The event after which the client must list the jobs.
    fn reset(&mut self, until: Position) -> Event {
        self.seen = until;
        let detail = "changes since this id are no longer stored: list the jobs";
        let data = json!({ "detail": detail }).to_string();
        Event::default().event("reset").id(self.seen.as_str()).data(data)
    }

    /// Reads one missed change. Returns its event if the client may see it; stores the remaining changes for the next call.
    async fn read(&mut self, missed: Missed, until: Position) -> Result<Option<Event>, MissedError> {
        let step = match missed.next().await {
            Err(MissedError::Forgotten) => return Ok(Some(self.reset(until))),
            step => step?,
        };
        if let Some(position) = step.position.filter(|position| *position > self.seen) {
            self.seen = position;
        }
        if self.seen < until {
            self.missed = Some((step.rest, until));
        }
        Ok(step.job.and_then(|job| self.event(&job)))
    }

    /// The event of a change; `None` for an internal change and for a job of another tenant.
    fn event(&self, job: &Job) -> Option<Event> {
        let visible = job.event.rev == job.rev && job.tenant == self.tenant;
        visible.then(|| event(job.event.name(), job).id(self.seen.as_str()))
    }
}
