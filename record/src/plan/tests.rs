use super::*;
use crate::{
    job::{DispatchState, Job, JobStatus},
    source::SourceState,
};
use mongodb::bson::DateTime;
use serde_json::{Map, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;
use vidp_contract::{
    FailureCode, JobOptions, Outcome, Progress, SkipCode, Stage, StreamProgress, Success, TaskResult,
    Timestamp, Timings, Work,
};

pub(super) const TIMES: Times = Times {
    stale: Duration::from_secs(60),
    tidy: Duration::from_secs(500),
    retention: Duration::from_secs(1000),
    max_retention: Duration::from_secs(3 * 24 * 3600),
};

fn at(seconds: i64) -> DateTime {
    DateTime::from_millis(seconds * 1000)
}

/// A job for these stages whose upload is complete.
pub(super) fn job(stages: &[Stage]) -> Job {
    let options = JobOptions {
        stages: stages.to_vec(),
        ..JobOptions::default()
    };
    let mut job = Job::uploading(
        Uuid::now_v7(),
        "local".to_owned(),
        options,
        "a.mp4".to_owned(),
        "video/mp4".to_owned(),
        at(0),
    );
    let source = SourceState {
        size: 5,
        sha256: "00".to_owned(),
        ..SourceState::default()
    };
    assert!(uploaded(&mut job, source, TIMES, at(0)));
    job
}

fn result(job: &Job, stage: Stage, outcome: Outcome) -> TaskResult {
    TaskResult {
        task_id: job.stages[&stage].task_id,
        job_id: job.id,
        stage,
        attempt: 1,
        outcome,
        timings: Timings::default(),
        worker: "w".to_owned(),
    }
}

pub(super) fn progress(job: &Job, stage: Stage, attempt: u32, share: f64) -> Progress {
    Progress {
        task_id: job.stages[&stage].task_id,
        job_id: job.id,
        stage,
        attempt,
        progress: share,
        phase: "work".to_owned(),
        speed: None,
        parts: None,
        stream: None,
        worker: "w".to_owned(),
    }
}

fn stages_due(job: &Job) -> Vec<Stage> {
    due(job).into_keys().collect()
}

type Make = fn() -> Outcome;

const OK: Make = || Outcome::Succeeded(Success::default());
const BAD: Make = || Outcome::Failed {
    code: FailureCode::Internal,
    detail: String::new(),
};
const NONE: Make = || Outcome::Skipped {
    code: SkipCode::NoAudio,
};

#[test]
fn the_jobs_status_follows_its_stages() {
    use JobStatus::{Failed, Partial, Queued, Running, Succeeded};
    let check = |outcomes: &[(Stage, Make)], expected: JobStatus| {
        let stages = [Stage::Detect, Stage::Scale];
        let mut job = job(&stages);
        for (stage, outcome) in outcomes {
            let message = result(&job, *stage, outcome());
            assert!(finished(&mut job, &message, TIMES, at(1)));
        }
        assert_eq!(job.status, expected, "{}", outcomes.len());
        assert_eq!(job.expires_at, expected.is_terminal().then(|| at(1001)));
    };
    check(&[], Queued);
    check(&[(Stage::Detect, OK)], Running);
    check(&[(Stage::Detect, OK), (Stage::Scale, OK)], Succeeded);
    check(&[(Stage::Detect, NONE), (Stage::Scale, OK)], Succeeded);
    check(&[(Stage::Detect, NONE), (Stage::Scale, NONE)], Succeeded);
    check(&[(Stage::Detect, OK), (Stage::Scale, BAD)], Partial);
    check(&[(Stage::Detect, NONE), (Stage::Scale, BAD)], Partial);
    check(&[(Stage::Detect, BAD), (Stage::Scale, BAD)], Failed);
}

#[test]
fn subtitles_wait_for_the_language_unless_it_is_given() {
    let mut job = job(&Stage::ALL);
    assert_eq!(stages_due(&job), [Stage::Detect, Stage::Scale]);
    let mut message = result(&job, Stage::Detect, OK());
    let report = json!({
        "language": { "code": "fr", "name": "French" }, "confidence": 1.0, "probabilities": [], "windows": [],
        "bytes_read": 1
    });
    message.outcome = Outcome::Succeeded(Success {
        report: report.as_object().cloned().unwrap_or_else(Map::new),
        ..Success::default()
    });
    finished(&mut job, &message, TIMES, at(1));
    assert!(due(&job).contains_key(&Stage::Subtitle));
    let task_of =
        |job: &Job| task(job, Stage::Subtitle, "b", 5, Duration::from_secs(60)).map(|task| task.work);
    assert!(matches!(task_of(&job), Some(Work::Subtitle(options)) if options.language == "fr"));
    // A requested language overrides the detected one.
    job.options.subtitle.language = "it".to_owned();
    assert!(matches!(task_of(&job), Some(Work::Subtitle(options)) if options.language == "it"));
    // The same document makes the same message.
    let twice = [(); 2].map(|()| task(&job, Stage::Scale, "b", 5, Duration::from_secs(60)));
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn terminal_states_absorb() {
    let mut job = job(&[Stage::Scale]);
    let message = result(&job, Stage::Scale, OK());
    let late = progress(&job, Stage::Scale, 1, 0.9);
    let foreign = TaskResult {
        job_id: Uuid::now_v7(),
        ..message.clone()
    };
    assert!(!finished(&mut job, &foreign, TIMES, at(1)));
    assert!(finished(&mut job, &message, TIMES, at(1)));
    let before = serde_json::to_value(&job).unwrap();
    let bad = TaskResult {
        outcome: BAD(),
        ..message.clone()
    };
    let task_id = message.task_id;
    assert!(!finished(&mut job, &message, TIMES, at(2)));
    assert!(!finished(&mut job, &bad, TIMES, at(2)));
    assert!(!progressed(&mut job, &late, TIMES, at(2)));
    assert!(!sent(&mut job, Stage::Scale, task_id, TIMES, at(2)));
    assert!(!lost(&mut job, Stage::Scale, task_id, at(2)));
    assert!(!cancelled(&mut job, TIMES, at(2)));
    assert!(!retried(&mut job, TIMES, at(2)));
    assert!(!abandoned(&mut job, TIMES, at(2)));
    assert!(claim_stage(&mut job, Stage::Scale, TIMES, at(2000)).is_none());
    assert_eq!(serde_json::to_value(&job).unwrap(), before);
}

#[test]
fn progress_of_an_older_attempt_is_ignored() {
    let mut job = job(&[Stage::Scale]);
    let (first, second) = (
        progress(&job, Stage::Scale, 1, 0.6),
        progress(&job, Stage::Scale, 2, 0.1),
    );
    assert!(progressed(&mut job, &first, TIMES, at(1)));
    assert_eq!(
        (job.status, job.stages[&Stage::Scale].progress),
        (JobStatus::Running, 0.6)
    );
    assert!(progressed(&mut job, &second, TIMES, at(2)));
    assert!(!progressed(&mut job, &first, TIMES, at(3)));
    let stage = &job.stages[&Stage::Scale];
    assert_eq!(
        (stage.attempt, stage.progress, stage.started_at),
        (2, 0.1, Some(at(2)))
    );
}

#[test]
fn a_stream_only_grows() {
    let mut job = job(&[Stage::Scale]);
    let growing = |job: &Job, plan: &str, parts, share| Progress {
        stream: Some(StreamProgress {
            plan: plan.to_owned(),
            parts,
        }),
        ..progress(job, Stage::Scale, 1, share)
    };
    let parts = |job: &Job| job.stages[&Stage::Scale].stream.clone().unwrap();
    let begun = progress(&job, Stage::Scale, 1, 0.0);
    assert!(progressed(&mut job, &begun, TIMES, at(0)));
    let announced = |job: &Job| job.announcement.clone().map(|one| (one.status, one.at));
    for (plan, count, second, expected) in [
        ("aa", 1, 1, 1),
        ("aa", 3, 2, 3),
        // An earlier attempt, or another plan, takes nothing away.
        ("aa", 2, 3, 3),
        ("bb", 9, 4, 3),
    ] {
        let before = job.clone();
        let message = growing(&job, plan, count, second as f64 / 10.0);
        assert!(progressed(&mut job, &message, TIMES, at(second)));
        job.revise(&before, at(second));
        assert_eq!(parts(&job).parts, expected, "{plan}");
        assert_eq!((parts(&job).plan.as_str(), parts(&job).since), ("aa", at(1)));
        assert_eq!(job.event.name() == "playable", second == 1, "{plan}");
    }
    assert_eq!(announced(&job), Some((JobStatus::Running, at(1))));
    let without = progress(&job, Stage::Scale, 1, 0.5);
    assert!(progressed(&mut job, &without, TIMES, at(5)));
    assert_eq!(parts(&job).parts, 3, "a message without a stream");
    let mut ended = job.clone();
    finished(&mut ended, &result(&job, Stage::Scale, OK()), TIMES, at(10));
    assert_eq!(parts(&ended), parts(&job), "viewers go on");
    assert_eq!(announced(&ended), Some((JobStatus::Succeeded, at(10))));
    // Longer than the delay of other cleanups, and as long as the job at most.
    assert_eq!(ended.tidy_at, ended.expires_at, "the parts stay for viewers");
    assert!(ended.tidy_at.unwrap() > at(510));
    assert!(cleaned_up(&mut ended));
    assert_eq!(parts(&ended).parts, 0);
}

#[test]
fn the_sweeper_claims_each_check_once() {
    let mut job = job(&[Stage::Scale]);
    let task_id = job.stages[&Stage::Scale].task_id;
    // Not before the claim of the process that stored the job has expired.
    assert!(claim_stage(&mut job, Stage::Scale, TIMES, at(5)).is_none());
    assert_eq!(
        claim_stage(&mut job, Stage::Scale, TIMES, at(6)),
        Some(DispatchState::Pending)
    );
    assert!(claim_stage(&mut job, Stage::Scale, TIMES, at(6)).is_none());
    assert!(sent(&mut job, Stage::Scale, task_id, TIMES, at(7)));
    assert!(due(&job).is_empty());
    assert!(claim_stage(&mut job, Stage::Scale, TIMES, at(66)).is_none());
    assert_eq!(
        claim_stage(&mut job, Stage::Scale, TIMES, at(67)),
        Some(DispatchState::Sent)
    );
    assert!(lost(&mut job, Stage::Scale, task_id, at(68)));
    assert_eq!(stages_due(&job), [Stage::Scale]);
}

#[test]
fn a_stage_that_was_due_before_a_change_is_not_published_again() {
    let mut job = job(&[Stage::Detect, Stage::Scale]);
    assert_eq!(newly_due(&BTreeMap::new(), &job), [Stage::Detect, Stage::Scale]);
    // Both are being published, and one ends before the other is marked as sent.
    let before = due(&job);
    let message = result(&job, Stage::Detect, OK());
    assert!(finished(&mut job, &message, TIMES, at(1)));
    assert_eq!(stages_due(&job), [Stage::Scale]);
    assert!(newly_due(&before, &job).is_empty());
    // A retry is another task.
    let (before, message) = (due(&job), result(&job, Stage::Scale, BAD()));
    assert!(finished(&mut job, &message, TIMES, at(2)) && retried(&mut job, TIMES, at(3)));
    assert_eq!(newly_due(&before, &job), [Stage::Scale]);
}

#[test]
fn a_retry_gets_a_new_task_and_leaves_the_rest() {
    let mut job = job(&[Stage::Detect, Stage::Scale]);
    let (good, bad) = (
        result(&job, Stage::Detect, OK()),
        result(&job, Stage::Scale, BAD()),
    );
    finished(&mut job, &good, TIMES, at(1));
    finished(&mut job, &bad, TIMES, at(1));
    assert!(retried(&mut job, TIMES, at(2)));
    assert_eq!(
        (job.status, job.expires_at, stages_due(&job)),
        (JobStatus::Running, None, vec![Stage::Scale])
    );
    assert_ne!(job.stages[&Stage::Scale].task_id, bad.task_id);
    // A late result of the first task does not affect the new one.
    assert!(!finished(&mut job, &bad, TIMES, at(3)));
    // Stages of a cancelled job are retried too.
    assert!(cancelled(&mut job, TIMES, at(4)));
    assert_eq!(job.status, JobStatus::Cancelled);
    assert!(retried(&mut job, TIMES, at(5)));
    assert_eq!(stages_due(&job), [Stage::Scale]);
}

#[test]
fn retries_are_counted_by_the_day() {
    let mut job = job(&[Stage::Scale]);
    let hour = |hour: i64| at(hour * 3600);
    for count in 0..3 {
        assert!(may_retry(&job, 3, hour(count)));
        assert!(cancelled(&mut job, TIMES, hour(count)) && retried(&mut job, TIMES, hour(count)));
    }
    assert!(!may_retry(&job, 3, hour(3)) && may_retry(&job, 4, hour(3)) && may_retry(&job, 0, hour(3)));
    assert_eq!(seconds_to_retry(&job, hour(3)), 21 * 3600);
    assert!(may_retry(&job, 3, hour(24)));
    assert!(cancelled(&mut job, TIMES, hour(24)) && retried(&mut job, TIMES, hour(24)));
    assert_eq!(job.retries.unwrap().count, 1);
}

#[test]
fn an_abandoned_upload_cannot_be_retried() {
    let options = JobOptions::default();
    let mut job = Job::uploading(
        Uuid::now_v7(),
        String::new(),
        options,
        String::new(),
        String::new(),
        at(0),
    );
    assert!(due(&job).is_empty());
    assert!(abandoned(&mut job, TIMES, at(1)));
    assert_eq!(job.status, JobStatus::Failed);
    assert!(!retried(&mut job, TIMES, at(2)));
    assert!(!uploaded(&mut job, SourceState::default(), TIMES, at(2)));
}

#[test]
fn a_deleted_job_leaves_a_tombstone() {
    let mut job = job(&[Stage::Scale]);
    assert!(!deleted(&mut job, at(1)), "it runs");
    let message = result(&job, Stage::Scale, BAD());
    assert!(finished(&mut job, &message, TIMES, at(1)));
    assert!(!claim_cleanup(&mut job, TIMES, at(2)), "not yet");
    assert!(claim_cleanup(&mut job, TIMES, at(1001)) && !claim_cleanup(&mut job, TIMES, at(1001)));
    assert!(claim_cleanup(&mut job, TIMES, at(1061)), "the claim has expired");
    assert!(cleaned_up(&mut job) && !cleaned_up(&mut job));
    assert!(deleted(&mut job, at(2000)));
    assert_eq!((job.deleted_at, job.expires_at), (Some(at(2000)), Some(at(2600))));
}

#[test]
fn a_stage_without_a_worker_fails_at_its_deadline() {
    let mut job = job(&[Stage::Scale]);
    let task_id = job.stages[&Stage::Scale].task_id;
    assert!(expired(&mut job, Stage::Scale, task_id, TIMES, at(9)));
    assert_eq!(job.status, JobStatus::Failed);
    assert_eq!(
        job.stages[&Stage::Scale].error.as_ref().unwrap().code,
        "timed_out"
    );
}

#[test]
fn an_ended_job_is_retained_as_its_client_requests() {
    let check = |days: Option<u32>, until: Option<i64>, expected: i64| {
        let until = until.map(|until| Timestamp::from_unix_timestamp(until).unwrap());
        // Set before the end, and after it.
        for before in [true, false] {
            let mut job = job(&[Stage::Scale]);
            if before {
                set_retention(&mut job, days, until, TIMES, at(1));
                assert_eq!(job.expires_at, None);
            }
            assert!(cancelled(&mut job, TIMES, at(10)));
            set_retention(&mut job, days, until, TIMES, at(20));
            assert_eq!(job.expires_at, Some(at(expected)), "{days:?} {until:?}");
        }
    };
    check(None, None, 1010);
    check(Some(2), None, 10 + 2 * 86_400);
    check(Some(4), None, 10 + 3 * 86_400);
    check(Some(u32::MAX), None, 10 + 3 * 86_400);
    check(None, Some(500), 500);
    check(None, Some(3), 3);
    check(None, Some(i64::from(u32::MAX)), 10 + 3 * 86_400);
}
