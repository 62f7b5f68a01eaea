//! Checks of messages from workers. A broker's user may publish for its own stage only, so the subject shows which
//! stage sent a message; these checks bind the content to the subject.

pub(crate) mod bounded;

use super::{
    Outcome, Output, OutputFile, Progress, Stage, StreamProgress, Success, TaskResult, Timings, keys, streams,
};
use std::collections::HashSet;
use uuid::Uuid;

/// Maximum number of outputs; `scale` has the most: six renditions, the previews, 16 subtitle tracks of the source, and a stream of six
/// pictures and eight audio tracks.
const MAX_OUTPUTS: usize = 48;
/// Maximum size of one output in bytes: 5 TiB, the largest object of S3.
const MAX_OUTPUT: u64 = 5 << 40;
/// Maximum size of a report in bytes of JSON.
const MAX_REPORT: usize = 256 << 10;
/// Maximum nesting of a report.
const MAX_DEPTH: usize = 16;
/// Maximum length of the detail of a failure in bytes.
pub const MAX_DETAIL: usize = 2000;
/// Maximum length of a worker's name or a phase in bytes.
const MAX_NAME: usize = 300;
/// Maximum seconds of a phase: about 30 years.
const MAX_SECONDS: f64 = 1e9;

impl TaskResult {
    /// Checks that a message with this subject may contain this result: the subject names its stage and task, and each
    /// output is a file of that stage directly below the prefix of one attempt.
    ///
    /// # Errors
    /// The reason why the result belongs to another task, or names objects that are not its own.
    pub fn belongs(&self, subject: &str) -> Result<(), String> {
        let own = streams::result(self.stage, self.task_id);
        if subject != own {
            return Err(format!("a result of {own} in the subject {subject}"));
        }
        self.owns_outputs()
    }

    /// Checks that a manifest of this job and stage may contain this result.
    ///
    /// # Errors
    /// As [`belongs`](Self::belongs).
    pub fn belongs_to(&self, job_id: Uuid, stage: Stage) -> Result<(), String> {
        if (self.job_id, self.stage) != (job_id, stage) {
            let (job, other) = (self.job_id, self.stage);
            return Err(format!(
                "a result of {other} of job {job} for {stage} of job {job_id}"
            ));
        }
        self.owns_outputs()
    }

    /// Checks that the record can store the result: counts, sizes, numbers and lengths are within bounds.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub fn fits(&self) -> Result<(), String> {
        let Timings {
            queued,
            fetch,
            process,
            store,
        } = self.timings;
        if [queued, fetch, process, store]
            .iter()
            .any(|seconds| !(0.0..=MAX_SECONDS).contains(seconds))
        {
            return Err(format!("{:?} are out of range", self.timings));
        }
        if self.worker.len() > MAX_NAME {
            return Err("the name of the worker is too long".to_owned());
        }
        match &self.outcome {
            Outcome::Succeeded(success) => success.fits(),
            Outcome::Failed { detail, .. } if detail.len() > MAX_DETAIL => {
                Err(format!("the detail has {} bytes", detail.len()))
            }
            Outcome::Failed { .. } | Outcome::Skipped { .. } => Ok(()),
        }
    }

    fn owns_outputs(&self) -> Result<(), String> {
        let Outcome::Succeeded(Success { outputs, .. }) = &self.outcome else {
            return Ok(());
        };
        let prefix = keys::stage_prefix(self.job_id, self.stage);
        let attempt = outputs.first().and_then(|output| keys::attempt(&output.key));
        let is_own = |output: &Output| {
            attempt.is_some_and(|attempt| output.key == keys::output(&prefix, attempt, &output.name))
                && OutputFile::of(self.stage, &output.name)
                    .is_some_and(|file| file.content_type == output.content_type)
        };
        if let Some(foreign) = outputs.iter().find(|output| !is_own(output)) {
            let Output {
                name,
                key,
                content_type,
                ..
            } = foreign;
            return Err(format!(
                "{name:?} ({content_type:?}) at {key:?} is no output of this attempt"
            ));
        }
        let names: HashSet<_> = outputs.iter().map(|output| &output.name).collect();
        match names.len() == outputs.len() {
            true => Ok(()),
            false => Err("two outputs have one name".to_owned()),
        }
    }
}

impl Success {
    fn fits(&self) -> Result<(), String> {
        let is_hash = |text: &str| {
            text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let fits = |output: &Output| output.size <= MAX_OUTPUT && is_hash(&output.sha256);
        if self.outputs.len() > MAX_OUTPUTS {
            return Err(format!("{} outputs are too many", self.outputs.len()));
        }
        if let Some(output) = self.outputs.iter().find(|output| !fits(output)) {
            return Err(format!(
                "the size or the SHA-256 of {} is out of range",
                output.name
            ));
        }
        let nested = |value| bounded::is_storable(value, MAX_DEPTH);
        if !self.report.values().all(nested) || self.report.keys().any(|name| name.contains('\0')) {
            return Err("the report has a number, a name or a nesting that is out of range".to_owned());
        }
        match serde_json::to_vec(&self.report).map(|bytes| bytes.len()) {
            Ok(length) if length <= MAX_REPORT => Ok(()),
            Ok(length) => Err(format!("the report has {length} bytes")),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Progress {
    /// True when a message with this subject may contain this progress, and its texts are within bounds.
    pub fn belongs(&self, subject: &str) -> bool {
        subject == streams::progress(self.job_id)
            && self.phase.len() <= MAX_NAME
            && self.worker.len() <= MAX_NAME
            && self.stream.as_ref().is_none_or(StreamProgress::is_valid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const SUBJECT: &str = "vidp.results.subtitle.019aae3a-0b5c-7c3e-9d62-0f3c1f6f0a01";

    /// The golden result after a change of one field.
    fn changed(pointer: &str, value: Value) -> TaskResult {
        let mut golden: Value =
            serde_json::from_str(include_str!("../../wire/result-succeeded.json")).unwrap();
        *golden.pointer_mut(pointer).unwrap() = value;
        serde_json::from_value(golden).unwrap()
    }

    fn output(pointer: &str, value: Value) -> TaskResult {
        changed(&format!("/outcome/succeeded/outputs/0/{pointer}"), value)
    }

    #[test]
    fn a_result_belongs_to_its_subject_and_names_its_own_outputs() {
        let check = |result: TaskResult, expected: bool| {
            let belongs = result.belongs(SUBJECT);
            assert_eq!(belongs.is_ok(), expected, "{belongs:?}");
        };
        let job = "019aae3a-0b5c-7c3e-9d62-0f3c1f6f0a00";
        let attempt = "019aae3a-1b5c-7c3e-9d62-0f3c1f6f0a02";
        check(changed("/attempt", json!(2)), true);
        check(changed("/stage", json!("scale")), false);
        check(changed("/task_id", json!(job)), false);
        check(changed("/job_id", json!(attempt)), false);
        let key = |key: &str| output("key", json!(key.replace("JOB", job).replace("ATTEMPT", attempt)));
        check(key("outputs/JOB/subtitle/ATTEMPT/subtitles.srt"), true);
        for forged in [
            "uploads/JOB/source",
            "outputs/JOB/scale/ATTEMPT/subtitles.srt",
            "outputs/JOB/subtitle/ATTEMPT/other.srt",
            "outputs/JOB/subtitle/ATTEMPT/../subtitles.srt",
            "outputs/JOB/subtitle/subtitles.srt",
            "outputs/JOB/subtitle/manifest.json",
            "",
        ] {
            check(key(forged), false);
        }
        check(
            key(&format!(
                "outputs/JOB/subtitle/{}/subtitles.srt",
                attempt.to_uppercase()
            )),
            false,
        );
        check(output("name", json!("subtitles.html")), false);
        check(output("content_type", json!("text/html")), false);
        let golden = changed("/attempt", json!(1));
        assert!(golden.belongs_to(job.parse().unwrap(), Stage::Subtitle).is_ok());
        assert!(golden.belongs_to(job.parse().unwrap(), Stage::Scale).is_err());
        assert!(
            golden
                .belongs_to(attempt.parse().unwrap(), Stage::Subtitle)
                .is_err()
        );
    }

    #[test]
    fn outputs_are_those_of_one_attempt_with_one_name_each() {
        let mut result = changed("/attempt", json!(1));
        let Outcome::Succeeded(success) = &mut result.outcome else {
            unreachable!()
        };
        let mut other = success.outputs[0].clone();
        success.outputs.push(other.clone());
        assert!(result.belongs(SUBJECT).is_err(), "one name twice");
        let prefix = keys::stage_prefix(result.job_id, result.stage);
        other.name = "transcript.json".to_owned();
        other.content_type = "application/json".to_owned();
        other.key = keys::output(&prefix, Uuid::now_v7(), &other.name);
        let Outcome::Succeeded(success) = &mut result.outcome else {
            unreachable!()
        };
        success.outputs[1] = other;
        assert!(result.belongs(SUBJECT).is_err(), "two attempts");
    }

    #[test]
    fn what_the_record_cannot_store_does_not_fit() {
        let check = |result: TaskResult, expected: bool| {
            let fits = result.fits();
            assert_eq!(fits.is_ok(), expected, "{fits:?}");
        };
        let report = |value| changed("/outcome/succeeded/cues", value);
        check(report(json!(i64::MAX)), true);
        check(report(json!(i64::MIN)), true);
        check(report(json!(i64::MAX.cast_unsigned() + 1)), false);
        check(report(json!([{ "a": [u64::MAX] }])), false);
        check(report(json!({ "a\0b": 1 })), false);
        check(report(json!("x".repeat(MAX_REPORT))), false);
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        check(report(deep), false);
        check(output("size", json!(u64::MAX)), false);
        check(output("sha256", json!("x")), false);
        check(changed("/timings/queued", json!(-1.0)), false);
        check(changed("/timings/queued", json!(1e300)), false);
        check(changed("/worker", json!("x".repeat(MAX_NAME + 1))), false);
        let failed = |length| {
            let detail = "x".repeat(length);
            changed(
                "/outcome",
                json!({ "failed": { "code": "internal", "detail": detail } }),
            )
        };
        check(failed(MAX_DETAIL), true);
        check(failed(MAX_DETAIL + 1), false);
    }

    #[test]
    fn progress_belongs_to_its_subject() {
        let golden: Progress = serde_json::from_str(include_str!("../../wire/progress.json")).unwrap();
        assert!(golden.belongs(&streams::progress(golden.job_id)));
        assert!(!golden.belongs(&streams::progress(golden.task_id)));
        let long = Progress {
            phase: "x".repeat(9999),
            ..golden.clone()
        };
        assert!(!long.belongs(&streams::progress(golden.job_id)));
        // The plan becomes a part of keys.
        for plan in ["", "../x", &"a".repeat(99)] {
            let stream = Some(StreamProgress {
                plan: plan.to_owned(),
                parts: 1,
            });
            let other = Progress {
                stream,
                ..golden.clone()
            };
            assert!(!other.belongs(&streams::progress(golden.job_id)), "{plan}");
        }
    }
}
