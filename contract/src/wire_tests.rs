//! Reads and writes the golden files, whose fields must not change. A field renamed by accident fails here.

use super::{PartOffer, Progress, ScaleOptions, Task, TaskResult, Work, streams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn check<T: Serialize + DeserializeOwned>(golden: &str) {
    let message: T = serde_json::from_str(golden).unwrap();
    let written = serde_json::to_value(message).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(golden).unwrap());
    // A newer release may add fields; this release must ignore them.
    let mut newer: Value = written;
    newer["added_later"] = Value::Bool(true);
    serde_json::from_value::<T>(newer).unwrap();
}

/// The messages of the previous release pass the checks of this one.
#[test]
fn messages_of_workers_pass_their_checks() {
    for golden in [
        include_str!("../wire/result-succeeded.json"),
        include_str!("../wire/result-failed.json"),
        include_str!("../wire/result-skipped.json"),
    ] {
        let result: TaskResult = serde_json::from_str(golden).unwrap();
        let subject = streams::result(result.stage, result.task_id);
        assert_eq!(result.belongs(&subject), Ok(()));
        assert_eq!(result.belongs_to(result.job_id, result.stage), Ok(()));
        assert_eq!(result.fits(), Ok(()));
    }
}

#[test]
fn messages_keep_their_shape() {
    check::<Task>(include_str!("../wire/task-detect.json"));
    check::<Task>(include_str!("../wire/task-scale.json"));
    check::<Task>(include_str!("../wire/task-subtitle.json"));
    check::<TaskResult>(include_str!("../wire/result-succeeded.json"));
    check::<TaskResult>(include_str!("../wire/result-failed.json"));
    check::<TaskResult>(include_str!("../wire/result-skipped.json"));
    check::<Progress>(include_str!("../wire/progress.json"));
    check::<PartOffer>(include_str!("../wire/part-offer.json"));
}

/// A release that knows fewer options writes fewer fields.
#[test]
fn a_task_of_an_earlier_release_is_understood() {
    let mut earlier: Value = serde_json::from_str(include_str!("../wire/task-scale.json")).unwrap();
    let options = earlier["options"].as_object_mut().unwrap();
    options.retain(|name, _| ["renditions", "codec", "crf"].contains(&name.as_str()));
    let task: Task = serde_json::from_value(earlier).unwrap();
    assert_eq!(task.work, Work::Scale(ScaleOptions::default()));
}
