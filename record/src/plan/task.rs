//! The task message of a stage.

use super::stage::report;
use crate::{job::Job, time::later};
use mongodb::bson::DateTime;
use std::time::Duration;
use vidp_contract::{DetectReport, Source, Stage, SubtitleOptions, Task, Timestamp, Work, keys};

/// The task of a stage, made from the document alone: publishing it twice publishes the same message.
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

/// The caller's word wins, then what was heard; otherwise the worker listens itself.
fn subtitle_language(job: &Job) -> String {
    match report::<DetectReport>(job, Stage::Detect) {
        Some(report) if job.options.subtitle.language == "auto" => report.language.code,
        _ => job.options.subtitle.language.clone(),
    }
}

fn timestamp(time: DateTime) -> Timestamp {
    let nanos = i128::from(time.timestamp_millis()) * 1_000_000;
    // Only a deadline thousands of years away has no such time: none, in effect.
    Timestamp::from_unix_timestamp_nanos(nanos)
        .unwrap_or(Timestamp::new_utc(time::Date::MAX, time::Time::MIDNIGHT))
}
