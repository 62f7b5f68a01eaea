//! `GET /jobs/{id}/events`: the events of one job.

use super::sse::{answer, event, last_event_id, opening, unknown_id};
use crate::{
    auth::Caller,
    config::ApiConfig,
    http::{extract::job_id, problem::Problem},
    limits::Limits,
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response, sse::Event},
};
use futures_util::{StreamExt, stream};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;
use uuid::Uuid;
use vidp_pipeline::Shared;
use vidp_record::{
    changes::Change,
    db::DbError,
    job::{EventKind, Job},
};

/// Name of an event that may cover several changes: the most important kind.
const STATUS: &str = EventKind::Status.as_str();
/// Interval at which the stream reads the job, in case the change stream is late.
const REREAD_INTERVAL: Duration = Duration::from_secs(10);

/// Follow a job.
///
/// Server-sent events: the present state of the job, then every change until it has ended. `data` is the job. A client
/// that reconnects with `Last-Event-ID` receives only the latest state.
#[utoipa::path(
    get, path = "", operation_id = "followJob", tag = "Events",
    params(
        ("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event that the client received.", example = "3"),
    ),
    responses(
        (status = 200, description = "Events, until the job has ended.", content_type = "text/event-stream",
            body = String, example = json!("id: 4\nevent: status\ndata: {\"id\":\"0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91\"}\n\n")),
        (status = 204, description = "The job has ended and the client has received its last event: do not reconnect."),
    ),
    extensions(("x-problems" = json!(["not_found", "too_many_streams"]))),
)]
pub(crate) async fn follow(
    State(pipeline): State<Shared>,
    State(config): State<Arc<ApiConfig>>,
    State(limits): State<Arc<Limits>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = last_event_id(&headers)?;
    let known = known
        .map(|known| known.parse().map_err(|_| unknown_id()))
        .transpose()?;
    let permit = limits.stream(&caller)?;
    // Subscribe before reading the job, so that no change is missed in between.
    let changes = pipeline.changes.subscribe();
    let job = pipeline.db.get(&caller.tenant, job_id(&id)?).await?;
    // An `EventSource` reconnects after the end of a stream; this answer stops it.
    if job.status.is_terminal() && known.is_some_and(|known| known >= job.event.rev) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let watch = Watch {
        pipeline: pipeline.clone(),
        id: job.id,
        tenant: caller.tenant,
        changes,
        known: known.unwrap_or(0),
        ended: false,
        first: Some(job),
    };
    let events = stream::unfold(watch, async |mut watch| {
        watch.next().await.map(|event| (event, watch))
    });
    Ok(answer(
        &config,
        permit,
        stream::once(async { opening() }).chain(events),
    ))
}

/// The state of one stream.
struct Watch {
    pipeline: Shared,
    id: Uuid,
    tenant: String,
    changes: broadcast::Receiver<Change>,
    /// The latest revision that the client has received.
    known: i64,
    /// The job has ended and the client has received its last event.
    ended: bool,
    /// The job at the start of the stream, until it is sent.
    first: Option<Job>,
}

/// The result of a wait.
enum Wake {
    /// The job after a change.
    Changed(Arc<Job>),
    /// Changes may have been missed: read the job.
    Reread,
    /// The process is shutting down.
    Shutdown,
}

impl Watch {
    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            let (name, job) = match self.first.take() {
                Some(job) => (STATUS, Arc::new(job)),
                None => match self.wait().await {
                    Wake::Shutdown => return None,
                    Wake::Changed(job) => (job.event.name(), job),
                    Wake::Reread => match self.pipeline.db.get(&self.tenant, self.id).await {
                        Ok(job) => (STATUS, Arc::new(job)),
                        Err(DbError::NotFound) => return None,
                        Err(error) => {
                            tracing::debug!(job = %self.id, %error, "an event stream waits for MongoDB");
                            continue;
                        }
                    },
                },
            };
            self.ended = job.status.is_terminal();
            if job.event.rev > self.known {
                self.known = job.event.rev;
                return Some(event(name, &job).id(job.event.rev.to_string()));
            }
        }
        None
    }

    /// Waits for a change of the job.
    async fn wait(&mut self) -> Wake {
        let reread = tokio::time::sleep(REREAD_INTERVAL);
        tokio::pin!(reread);
        loop {
            let change = tokio::select! {
                change = self.changes.recv() => change,
                () = &mut reread => return Wake::Reread,
                () = self.pipeline.shutdown.cancelled() => return Wake::Shutdown,
            };
            match change {
                Ok(Change::Stored(_, job)) if job.id == self.id => return Wake::Changed(job),
                Ok(Change::Stored(..) | Change::Quiet(_)) => {}
                Ok(Change::Gap) | Err(broadcast::error::RecvError::Lagged(_)) => return Wake::Reread,
                Err(broadcast::error::RecvError::Closed) => return Wake::Shutdown,
            }
        }
    }
}
