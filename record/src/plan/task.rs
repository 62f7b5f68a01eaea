//! Task messages.

use super::stage::report;
use crate::{job::Job, time::later};
use mongodb::bson::DateTime;
use std::time::Duration;
use vidp_contract::{DetectReport, Source, Stage, SubtitleOptions, Task, Timestamp, Work, keys};

/// Creates the task message of a stage; `None` when the job does not have the stage.
///
/// The message depends on the document and the settings only, so that a second publish sends the same message.
pub fn task(job: &Job, stage: Stage, bucket: &str, attempt_limit: u32, deadline: Duration) -> Option<Task> {
    let state = job.stages.get(&stage)?;
    let work = match stage {
        Stage::Detect => Work::Detect(job.options.detect.clone()),
        Stage::Scale => Work::Scale(job.options.scale.clone()),
        Stage::Subtitle => Work::Subtitle(SubtitleOptions {
            language: subtitle_language(job),
            ..job.options.subtitle.clone()
        }),
    };
    let queued_at = state.queued_at.unwrap_or(job.created_at);
    Some(Task {
        task_id: state.task_id,
        job_id: job.id,
        attempt_limit,
        deadline: timestamp(later(queued_at, deadline)),
        source: Source {
            bucket: bucket.to_owned(),
            key: keys::source(job.id),
            size: job.source.size.max(0).cast_unsigned(),
            sha256: job.source.sha256.clone(),
        },
        output_prefix: keys::stage_prefix(job.id, stage),
        work,
    })
}

/// Returns the requested language, else the detected one; otherwise the worker detects it itself.
fn subtitle_language(job: &Job) -> String {
    match report::<DetectReport>(job, Stage::Detect) {
        Some(report) if job.options.subtitle.language == "auto" => report.language.code,
        _ => job.options.subtitle.language.clone(),
    }
}

fn timestamp(time: DateTime) -> Timestamp {
    let nanos = i128::from(time.timestamp_millis()) * 1_000_000;
    // A deadline beyond the year 9999 cannot be represented and has no effect.
    Timestamp::from_unix_timestamp_nanos(nanos)
        .unwrap_or(Timestamp::new_utc(time::Date::MAX, time::Time::MIDNIGHT))
}
