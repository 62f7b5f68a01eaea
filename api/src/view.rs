//! A job as clients see it: the same shape for every status.

use crate::job::{Job, StageState};
use mongodb::bson::DateTime;
use serde_json::{Map, Value, json};
use vidp_common::contract::{Output, Stage};

/// The job in JSON.
pub fn job(job: &Job) -> Value {
    let stages: Map<_, _> = job
        .stages
        .iter()
        .map(|(name, state)| (name.to_string(), stage(job, *name, state)))
        .collect();
    json!({
        "id": job.id,
        "status": job.status,
        "stages": stages,
        "source": {
            "filename": job.source.filename,
            "size": job.source.size,
            "sha256": job.source.sha256,
            "content_type": job.source.content_type,
            "media": job.source.media,
        },
        "options": job.options,
        "lane": job.lane,
        "batch_id": job.batch_id,
        "external_id": job.external_id,
        "metadata": job.metadata,
        "created_at": time(Some(job.created_at)),
        "updated_at": time(Some(job.updated_at)),
        "expires_at": time(job.expires_at),
    })
}

/// The outputs of every stage that has some, with the stage's name.
pub fn outputs(job: &Job) -> Vec<Value> {
    let of_stage = |(name, state): (&Stage, &StageState)| {
        let outputs = state.outputs.iter().map(|one| {
            let mut value = output(job, *name, one);
            value["stage"] = json!(name);
            value
        });
        outputs.collect::<Vec<_>>()
    };
    job.stages.iter().flat_map(of_stage).collect()
}

fn stage(job: &Job, name: Stage, state: &StageState) -> Value {
    let outputs: Vec<_> = state.outputs.iter().map(|one| output(job, name, one)).collect();
    json!({
        "status": state.status,
        "attempt": state.attempt,
        "progress": state.progress,
        "phase": state.phase,
        "speed": state.speed,
        "error": state.error,
        "result": state.result,
        "outputs": outputs,
        "timings": state.timings,
        "queued_at": time(state.queued_at),
        "started_at": time(state.started_at),
        "finished_at": time(state.finished_at),
    })
}

fn output(job: &Job, stage: Stage, output: &Output) -> Value {
    json!({
        "name": output.name,
        "size": output.size,
        "sha256": output.sha256,
        "content_type": output.content_type,
        "url": format!("/api/v1/jobs/{}/outputs/{stage}/{}", job.id, output.name),
    })
}

/// RFC 3339, UTC.
pub fn time(time: Option<DateTime>) -> Option<String> {
    time.and_then(|time| time.try_to_rfc3339_string().ok())
}
