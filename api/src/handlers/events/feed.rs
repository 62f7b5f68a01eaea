//! The events of all jobs.

use super::{answer, event, foreign_id, last_event_id, opening};
use crate::{auth::Caller, config::ApiConfig, http::problem::Problem};
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
/// Server-sent events: every change of one's own jobs, from now or from `Last-Event-ID` on. `data` is the job.
#[utoipa::path(
    get, path = "", operation_id = "followJobs", tag = "Events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event seen.",
        example = "826A1F0C9E000000012B0429296E1404")),
    responses((status = 200, description = "Events, without an end.", content_type = "text/event-stream",
        body = String, example = json!("id: 826A\nevent: status\ndata: {\"id\":\"0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91\"}\n\n"))),
)]
pub async fn of_all(
    State(pipeline): State<Shared>,
    State(config): State<Arc<ApiConfig>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = match last_event_id(&headers)? {
        Some(id) => Some(Position::parse(id).ok_or_else(foreign_id)?),
        None => None,
    };
    let live = pipeline.changes.subscribe();
    let reached = pipeline.changes.reached().ok_or_else(|| {
        Problem::unavailable("the change stream", "it has not been opened yet, or not again")
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
        // Now, so that an id which MongoDB cannot read is told by the status. One from a replica that is ahead is good.
        first.extend(feed.catch_up(reached).await?);
    }
    let events = stream::unfold(feed, async |mut feed| {
        feed.next().await.map(|event| (event, feed))
    });
    Ok(answer(&config, stream::iter(first).chain(events)))
}

struct Feed {
    pipeline: Shared,
    tenant: String,
    live: Receiver<Change>,
    /// The client has everything up to here.
    seen: Position,
    /// Changes that are read from MongoDB, because they came before the client or faster than it reads; and the position
    /// from which on the shared stream has them.
    missed: Option<(Missed, Position)>,
}

impl Feed {
    /// The next event. The stream ends with the process, and when MongoDB cannot tell what was missed now: the client
    /// comes again with the id that it has.
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
                // An id without data: the client can resume from here although nothing of its own has happened.
                Ok(Change::Quiet(position)) if position > self.seen => {
                    self.seen = position;
                    return Some(Event::default().comment("quiet").id(self.seen.as_str()));
                }
                Ok(Change::Stored(..) | Change::Quiet(_)) => {}
                Ok(Change::Gap) | Err(RecvError::Lagged(_)) => {
                    // What is in the ring is also in MongoDB.
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

    /// Begins to read what was missed. What MongoDB has forgotten is told by an event, and is to be listed instead.
    async fn catch_up(&mut self, until: Position) -> Result<Option<Event>, Problem> {
        match Missed::open(&self.pipeline.db, &self.seen).await {
            Ok(missed) => {
                self.missed = Some((missed, until));
                Ok(None)
            }
            Err(MissedError::Forgotten) => Ok(Some(self.reset(until))),
            Err(MissedError::Refused) => Err(foreign_id()),
            Err(MissedError::Db(error)) => Err(error.into()),
        }
    }

    fn reset(&mut self, until: Position) -> Event {
        self.seen = until;
        let detail = "changes were missed that are no longer known: list the jobs";
        let data = json!({ "detail": detail }).to_string();
        Event::default().event("reset").id(self.seen.as_str()).data(data)
    }

    /// One change that was missed, if it is the client's; puts the rest back when there is more.
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

    /// The event of a change; none of one that clients do not see, or of somebody else's job.
    fn event(&self, job: &Job) -> Option<Event> {
        let visible = job.event.rev == job.rev && job.tenant == self.tenant;
        visible.then(|| event(job.event.kind.as_str(), job).id(self.seen.as_str()))
    }
}
