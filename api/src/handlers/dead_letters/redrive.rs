//! `/api/v1/dead-letters`: messages that nobody could work on. For operators: they are of every tenant.

use crate::{
    auth::Caller,
    http::{
        cursor,
        extract::{Find, Owned, Params},
        problem::Problem,
    },
    state::AppState,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use vidp_common::queue::{DeadLetter, Queue};
use vidp_contract::Task;
use vidp_pipeline::{Shared, advance};
use vidp_record::{
    db::{DbError, Updated},
    job::{Job, StageStatus},
    plan,
    time::DateTime,
};

/// Query of [`list`].
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Dead letters on a page; 20 by default.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[param(example = "AQAAAAAAAAAAAAAAAAAAABE")]
    cursor: Option<String>,
}

/// A message that nobody could work on.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterView {
    /// Its place in the dead stream.
    #[schema(minimum = 1)]
    id: u64,
    /// Who could not work on it: a stage, or `results` for the API itself.
    queue: String,
    /// Where it came from; unknown of a message that somebody else put there.
    subject: Option<String>,
    /// Why it is dead.
    reason: String,
    /// How often it had been delivered.
    deliveries: Option<i64>,
    /// When it was moved to the dead stream.
    #[schema(value_type = String, format = DateTime)]
    dead_at: Option<String>,
    /// Of what is said in it, if that can be read.
    job_id: Option<Uuid>,
    task_id: Option<Uuid>,
    /// Bytes.
    size: usize,
    /// Only in the answer about this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    payload: Option<Payload>,
}

/// What a message says, in the first of these that fits.
#[derive(Serialize, ToSchema)]
#[serde(tag = "encoding", content = "data", rename_all = "snake_case")]
#[schema(as = DeadLetterPayload)]
enum Payload {
    Json(Value),
    Text(String),
    Base64(String),
}

/// A page of dead letters.
#[derive(Serialize, ToSchema)]
pub struct DeadLetterList {
    data: Vec<DeadLetterView>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// List dead letters.
///
/// The oldest first: they are kept for 30 days.
#[utoipa::path(
    get, path = "", operation_id = "listDeadLetters", tag = "Dead letters", params(ListQuery),
    responses((status = 200, description = "A page.", body = DeadLetterList)),
)]
pub async fn list(
    State(queue): State<Queue>,
    Params(query): Params<ListQuery>,
) -> Result<Json<DeadLetterList>, Problem> {
    let limit = cursor::limit(query.limit)?;
    let behind = query.cursor.as_deref().map(cursor::parse).transpose()?;
    // A cursor names an UUID: this one is the number of a message.
    let behind = behind.map_or(0, |id| u64::try_from(id.as_u128()).unwrap_or(u64::MAX));
    let found = queue.dead_letters(behind, limit as usize + 1).await?;
    let (found, next_cursor) = cursor::page(found, limit, |letter| Uuid::from_u128(letter.sequence.into()));
    let data = found.iter().map(view).collect();
    Ok(Json(DeadLetterList { data, next_cursor }))
}

/// Get a dead letter.
///
/// With what it says.
#[utoipa::path(
    get, path = "", operation_id = "getDeadLetter", tag = "Dead letters",
    params(("id" = u64, Path, description = "The dead letter.", example = 17)),
    responses((status = 200, description = "The dead letter.", body = DeadLetterView)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn get(Owned(letter): Owned<DeadLetter>) -> Result<Json<DeadLetterView>, Problem> {
    let payload = Some(payload(&letter));
    Ok(Json(DeadLetterView {
        payload,
        ..view(&letter)
    }))
}

/// Send a dead letter back to where it came from.
///
/// Once, and it is no dead letter any more; when nobody can work on it again it becomes another. A task whose stage has
/// failed gets a new one instead, as by `POST /jobs/{id}/retry`.
#[utoipa::path(
    post, path = "", operation_id = "redriveDeadLetter", tag = "Dead letters",
    params(("id" = u64, Path, description = "The dead letter.", example = 17)),
    responses((status = 202, description = "What it was: it is on its way.", body = DeadLetterView)),
    extensions(("x-problems" = json!(["not_found", "conflict"]))),
)]
pub async fn redrive(
    State(pipeline): State<Shared>,
    caller: Caller,
    Owned(letter): Owned<DeadLetter>,
) -> Result<Response, Problem> {
    let answer = view(&letter);
    // Not half of it when the client hangs up.
    let work = pipeline.tasks.clone();
    let sent = work.spawn(async move { send_back(&pipeline, &letter).await });
    sent.await.map_err(Problem::internal)??;
    tracing::info!(
        dead_letter = answer.id,
        by = caller.key_id,
        "dead letter sent back"
    );
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Discard a dead letter.
///
/// It is gone for good.
#[utoipa::path(
    delete, path = "", operation_id = "discardDeadLetter", tag = "Dead letters",
    params(("id" = u64, Path, description = "The dead letter.", example = 17)),
    responses((status = 204, description = "It is gone.")),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn discard(
    State(queue): State<Queue>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = parse_id(&id)?;
    if !queue.discard(id).await? {
        return Err(none());
    }
    tracing::info!(dead_letter = id, by = caller.key_id, "dead letter discarded");
    Ok(StatusCode::NO_CONTENT)
}

async fn send_back(pipeline: &Shared, letter: &DeadLetter) -> Result<(), Problem> {
    if let Ok(task) = serde_json::from_slice::<Task>(&letter.payload) {
        let stage = task.work.stage();
        let status = |job: &Job| {
            let state = job.stages.get(&stage);
            state
                .filter(|state| state.task_id == task.task_id)
                .map(|state| state.status)
        };
        let again = |job: &mut Job| {
            status(job) == Some(StageStatus::Failed) && plan::retried(job, pipeline.times(), DateTime::now())
        };
        match advance::update(pipeline, task.job_id, again).await {
            // Whoever tries the same finds another task in the job.
            Ok(Updated::Changed(_)) => {
                pipeline.queue.discard(letter.sequence).await?;
                return Ok(());
            }
            Ok(Updated::Unchanged(job)) => match status(&job) {
                Some(StageStatus::Failed) => {
                    return Err(Problem::conflict(
                        "the task has failed, and its job has not ended yet",
                    ));
                }
                Some(status) if !status.is_terminal() => {}
                _ => return Err(unwanted()),
            },
            Err(DbError::NotFound) => return Err(unwanted()),
            Err(error) => return Err(error.into()),
        }
    }
    if letter.home().is_none() {
        return Err(Problem::conflict(
            "nobody takes messages of this subject; discard it",
        ));
    }
    match pipeline.queue.redrive(letter).await? {
        true => Ok(()),
        false => Err(Problem::conflict(
            "this task is queued already; discard its dead letter",
        )),
    }
}

fn unwanted() -> Problem {
    Problem::conflict("no job waits for this task any more; discard it")
}

/// Operators see the dead letters of every tenant.
impl Find for DeadLetter {
    async fn find(state: &AppState, _: &Caller, id: &str) -> Result<Self, Problem> {
        let found = state.pipeline.queue.dead_letter(parse_id(id)?).await?;
        found.ok_or_else(none)
    }
}

fn none() -> Problem {
    Problem::none("dead letter")
}

fn parse_id(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| none())
}

fn view(letter: &DeadLetter) -> DeadLetterView {
    let said = serde_json::from_slice::<Value>(&letter.payload).unwrap_or_default();
    let id = |name: &str| said[name].as_str().and_then(|id| id.parse().ok());
    DeadLetterView {
        id: letter.sequence,
        queue: letter.queue.clone(),
        subject: letter.subject.clone(),
        reason: letter.reason.clone(),
        deliveries: letter.deliveries,
        dead_at: letter.at.format(&Rfc3339).ok(),
        job_id: id("job_id"),
        task_id: id("task_id"),
        size: letter.payload.len(),
        payload: None,
    }
}

fn payload(letter: &DeadLetter) -> Payload {
    match (
        serde_json::from_slice(&letter.payload),
        std::str::from_utf8(&letter.payload),
    ) {
        (Ok(value), _) => Payload::Json(value),
        (_, Ok(text)) => Payload::Text(text.to_owned()),
        _ => Payload::Base64(STANDARD.encode(&letter.payload)),
    }
}
