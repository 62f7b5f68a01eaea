//! The events of one job.

use super::{answer, event, foreign_id, last_event_id, opening};
use crate::{
    auth::Caller,
    config::ApiConfig,
    http::{extract::job_id, problem::Problem},
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

/// The job is looked at this often, should the change stream be late.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Follow a job.
///
/// Server-sent events: the job as it is, then each time it changes, until it has ended. `data` is the job. Not more
/// than the latest state is sent to whoever comes back with `Last-Event-ID`.
#[utoipa::path(
    get, path = "", operation_id = "followJob", tag = "Events",
    params(
        ("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event seen.", example = "3"),
    ),
    responses(
        (status = 200, description = "Events, until the job has ended.", content_type = "text/event-stream",
            body = String, example = json!("id: 4\nevent: status\ndata: {\"id\":\"0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91\"}\n\n")),
        (status = 204, description = "The job has ended, and the client has seen that: it need not come again."),
    ),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn of_job(
    State(pipeline): State<Shared>,
    State(config): State<Arc<ApiConfig>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = last_event_id(&headers)?;
    let known = known
        .map(|known| known.parse().map_err(|_| foreign_id()))
        .transpose()?;
    // Before the look, so that no change falls between the two.
    let changes = pipeline.changes.subscribe();
    let job = pipeline.db.get(&caller.tenant, job_id(&id)?).await?;
    // An `EventSource` comes again after the end of a stream, and stops at this answer.
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
    Ok(answer(&config, stream::once(async { opening() }).chain(events)))
}

struct Watch {
    pipeline: Shared,
    id: Uuid,
    tenant: String,
    changes: broadcast::Receiver<Change>,
    /// The revision that the client has.
    known: i64,
    ended: bool,
    first: Option<Job>,
}

/// What a wait ended with.
enum Seen {
    /// The job as one change left it.
    Change(Arc<Job>),
    /// Changes may have been missed: the job is to be read.
    Unsure,
    /// The process ends.
    Over,
}

impl Watch {
    async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            let (name, job) = match self.first.take() {
                Some(job) => (EventKind::Status, Arc::new(job)),
                None => match self.wait().await {
                    Seen::Over => return None,
                    Seen::Change(job) => (job.event.kind, job),
                    Seen::Unsure => match self.pipeline.db.get(&self.tenant, self.id).await {
                        // It may stand for several changes, and the status is the one that matters most.
                        Ok(job) => (EventKind::Status, Arc::new(job)),
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
                return Some(event(name.as_str(), &job).id(job.event.rev.to_string()));
            }
        }
        None
    }

    async fn wait(&mut self) -> Seen {
        let look_again = tokio::time::sleep(LOOK_AGAIN);
        tokio::pin!(look_again);
        loop {
            let change = tokio::select! {
                change = self.changes.recv() => change,
                () = &mut look_again => return Seen::Unsure,
                () = self.pipeline.shutdown.cancelled() => return Seen::Over,
            };
            match change {
                Ok(Change::Stored(_, job)) if job.id == self.id => return Seen::Change(job),
                Ok(Change::Stored(..) | Change::Quiet(_)) => {}
                Ok(Change::Gap) | Err(broadcast::error::RecvError::Lagged(_)) => return Seen::Unsure,
                Err(broadcast::error::RecvError::Closed) => return Seen::Over,
            }
        }
    }
}
