//! The events of all jobs.

use super::{answer, event, foreign_id, last_event_id, opening};
use vidp_pipeline::Shared;
use crate::{auth::Caller, http::problem::Problem};
use vidp_record::{changes::{self, Change, Position, RawChanges}, db::DbError, job::Job};
use axum::{extract::State, http::HeaderMap, response::{Response, sse::Event}};
use futures_util::{StreamExt, stream};
use mongodb::error::ErrorKind;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// `ChangeStreamFatalError` and `ChangeStreamHistoryLost` in MongoDB's list of error codes: the position is not in its
/// oplog, or is older.
const FORGOTTEN: [i32; 2] = [280, 286];

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
    State(app): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = match last_event_id(&headers)? {
        Some(id) => Some(Position::parse(id).ok_or_else(foreign_id)?),
        None => None,
    };
    let live = app.changes.subscribe();
    let reached = app.changes.reached().ok_or_else(|| {
        Problem::unavailable("the change stream", "it has not been opened yet, or not again")
    })?;
    let seen = known.clone().unwrap_or_else(|| reached.clone());
    let start = Event::id(opening(), seen.as_str());
    let mut feed = Feed {
        app: app.clone(),
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
    Ok(answer(&app, stream::iter(first).chain(events)))
}

struct Feed {
    app: Shared,
    tenant: String,
    live: Receiver<Change>,
    /// The client has everything up to here.
    seen: Position,
    missed: Option<Missed>,
}

/// Changes that are read from MongoDB, because they came before the client or faster than it reads.
struct Missed {
    stream: RawChanges,
    /// From here on the shared stream has them.
    until: Position,
}

impl Feed {
    /// The next event. The stream ends with the process, and when MongoDB cannot tell what was missed now: the client
    /// comes again with the id that it has.
    async fn next(&mut self) -> Option<Event> {
        let shutdown = self.app.shutdown.clone();
        loop {
            if let Some(missed) = self.missed.take() {
                if shutdown.is_cancelled() {
                    return None;
                }
                match self.read(missed).await {
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
                    self.live = self.app.changes.subscribe();
                    let until = self.app.changes.reached()?;
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
        let (db, from) = (self.app.db.clone(), self.seen.clone());
        let opened = self
            .app
            .db
            .run(async move { changes::open(&db, Some(&from)).await })
            .await;
        match opened {
            Ok(stream) => {
                self.missed = Some(Missed { stream, until });
                Ok(None)
            }
            Err(DbError::Driver(error)) if is_forgotten(&error) => Ok(Some(self.reset(until))),
            Err(DbError::Driver(error)) if is_refusal(&error) => Err(foreign_id()),
            Err(error) => Err(error.into()),
        }
    }

    fn reset(&mut self, until: Position) -> Event {
        self.seen = until;
        let detail = "changes were missed that are no longer known: list the jobs";
        let data = json!({ "detail": detail }).to_string();
        Event::default().event("reset").id(self.seen.as_str()).data(data)
    }

    /// One change that was missed, if it is the client's; puts the rest back when there is more.
    async fn read(&mut self, mut missed: Missed) -> Result<Option<Event>, DbError> {
        let until = missed.until.clone();
        let read = self.app.db.run(async move {
            let found = missed.stream.next_if_any().await?;
            Ok((found, missed))
        });
        let (found, missed) = match read.await {
            Err(DbError::Driver(error)) if is_forgotten(&error) => return Ok(Some(self.reset(until))),
            read => read?,
        };
        let position = changes::position(found.as_ref(), &missed.stream);
        if let Some(position) = position.filter(|position| *position > self.seen) {
            self.seen = position;
        }
        if self.seen < missed.until {
            self.missed = Some(missed);
        }
        let job = found.as_ref().and_then(changes::stored).map(Arc::new);
        Ok(job.and_then(|job| self.event(&job)))
    }

    /// The event of a change; none of one that clients do not see, or of somebody else's job.
    fn event(&self, job: &Job) -> Option<Event> {
        let visible = job.event.rev == job.rev && job.tenant == self.tenant;
        visible.then(|| event(job.event.kind.as_str(), job).id(self.seen.as_str()))
    }
}

fn is_forgotten(error: &mongodb::error::Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if FORGOTTEN.contains(&command.code))
}

/// The server understood, and did not want it: no resume token.
fn is_refusal(error: &mongodb::error::Error) -> bool {
    let resumable = error.contains_label("ResumableChangeStreamError");
    matches!(&*error.kind, ErrorKind::Command(_) if !resumable)
}
