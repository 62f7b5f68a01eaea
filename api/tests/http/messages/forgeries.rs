//! A worker that was taken over publishes messages with the rights of its broker user. They change nothing.

use super::dead_letters::{list, publish, redrive};
use crate::harness::{Pulled, Rig, french, until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use uuid::Uuid;
use vidp_common::queue::Queue;
use vidp_contract::{Outcome, Output, Stage, Success, Task, TaskResult, keys, streams};
use vidp_engines::{Nats, Users};

const PASSWORD: &str = "only-for-tests";

/// An API whose broker has the users of the deployments.
struct Insider {
    rig: Rig,
    _folder: tempfile::TempDir,
    _nats: Nats,
}

impl Insider {
    async fn new() -> Insider {
        let folder = tempfile::tempdir().unwrap();
        let password = |user: &str| (format!("NATS_{user}_PASSWORD"), PASSWORD.to_owned());
        let users = Users {
            file: Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats/auth.conf"),
            passwords: ["API", "LANGSCALE", "DOWNSCALE", "SUBTITLE"].map(password).into(),
        };
        let nats = Nats::start_for(folder.path(), 0, users).unwrap();
        let settings = [
            ("VIDP_NATS_URL", nats.url()),
            ("VIDP_NATS_USER", "api".to_owned()),
            ("VIDP_NATS_PASSWORD", PASSWORD.to_owned()),
            ("VIDP_STALE_SECONDS", "600".to_owned()),
        ];
        Insider {
            rig: Rig::with(&settings).await,
            _folder: folder,
            _nats: nats,
        }
    }

    /// Connects to the broker as `user` from now on.
    async fn act_as(&mut self, user: &str) {
        let url = self.rig.setting("VIDP_NATS_URL").to_owned();
        self.rig.queue = connect(&url, user).await;
    }

    /// Waits for one dead letter whose reason has these words; the job must not have changed.
    async fn check_buried(&self, job: &Value, words: &str) {
        until(async || list(&self.rig).await.len() == 1).await;
        let letter = list(&self.rig).await.remove(0);
        assert!(letter["reason"].as_str().unwrap().contains(words), "{letter}");
        self.check_unchanged(job).await;
    }

    /// Compares the job, but not the time of its latest change: the API may still mark its task as sent.
    async fn check_unchanged(&self, job: &Value) {
        let (mut before, mut now) = (job.clone(), self.rig.job(job["id"].as_str().unwrap()).await);
        before["updated_at"].take();
        now["updated_at"].take();
        assert_eq!(now, before);
    }
}

async fn connect(url: &str, user: &str) -> Queue {
    let config = crate::harness::nats(url, user, PASSWORD);
    Queue::connect(&config, "test").await.unwrap()
}

fn encode(message: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap()
}

fn success(pulled: &Pulled, outputs: Vec<Output>) -> TaskResult {
    let report = french().as_object().unwrap().clone();
    pulled.result(Outcome::Succeeded(Success { outputs, report }))
}

#[tokio::test]
async fn a_worker_cannot_end_the_stage_of_another() {
    let mut insider = Insider::new().await;
    let options = json!({ "stages": ["detect", "scale"] });
    let job = insider.rig.submit(&options).await;
    insider.act_as("downscale").await;
    let scale = insider.rig.pull(Stage::Scale).await;
    let job = insider.rig.job(job["id"].as_str().unwrap()).await;

    insider.act_as("langscale").await;
    let forged = encode(&success(&scale, Vec::new()));
    let subject = streams::result(Stage::Detect, scale.task.task_id);
    publish(&insider.rig, &subject, &[], forged).await;
    insider
        .check_buried(&job, "a result of vidp.results.scale.")
        .await;
}

#[tokio::test]
async fn a_worker_cannot_name_the_objects_of_others() {
    let mut insider = Insider::new().await;
    let victim = insider.rig.submit(&json!({ "stages": ["scale"] })).await;
    let job = insider.rig.submit(&json!({ "stages": ["detect"] })).await;
    let id = job["id"].as_str().unwrap();
    insider.act_as("langscale").await;
    let detect = insider.rig.pull(Stage::Detect).await;
    let job = insider.rig.job(id).await;
    let output = Output {
        name: "720p.mp4".to_owned(),
        key: keys::source(victim["id"].as_str().unwrap().parse().unwrap()),
        size: 10,
        sha256: "0".repeat(64),
        content_type: "video/mp4".to_owned(),
    };
    insider.rig.publish(&success(&detect, vec![output])).await;
    insider.check_buried(&job, "is no output of this attempt").await;
    let url = format!("{}/{id}/outputs/detect/720p.mp4", insider.rig.jobs_url());
    for url in [url.clone(), format!("{url}/link")] {
        let answer = insider.rig.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    // The result that belongs to the task still ends it.
    insider.rig.succeed(&detect, french()).await;
    insider
        .rig
        .until_job(id, |job| job["status"] == "succeeded")
        .await;
}

/// The result consumer ignores the result, because the other job has no such task. The sweeper finds it by its subject.
#[tokio::test]
async fn a_worker_cannot_answer_its_task_with_the_outputs_of_another_job() {
    let rig = Rig::new().await;
    let victim = rig.submit(&json!({ "stages": ["scale"] })).await;
    let done = rig.pull(Stage::Scale).await;
    let Outcome::Succeeded(success) = rig.succeed(&done, json!({})).await.outcome else {
        unreachable!()
    };
    rig.until_job(victim["id"].as_str().unwrap(), |job| job["status"] == "succeeded")
        .await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let pulled = rig.pull(Stage::Scale).await;
    let forged = TaskResult {
        job_id: done.task.job_id,
        ..pulled.result(Outcome::Succeeded(success))
    };
    rig.publish(&forged).await;
    pulled.message.ack().await.unwrap();
    // The sweeper publishes the task again, because it has no result.
    let again = rig.pull(Stage::Scale).await;
    assert_eq!(again.task, pulled.task);
    let job = rig.job(job["id"].as_str().unwrap()).await;
    assert_eq!(job["stages"]["scale"]["outputs"], json!([]), "{job}");
}

#[tokio::test]
async fn progress_in_the_subject_of_another_job_is_ignored() {
    let mut insider = Insider::new().await;
    let (mut jobs, mut tasks) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        jobs.push(insider.rig.submit(&json!({ "stages": ["detect"] })).await);
    }
    insider.act_as("langscale").await;
    for _ in 0..2 {
        tasks.push(insider.rig.pull(Stage::Detect).await);
    }
    tasks.sort_by_key(|pulled| pulled.task.job_id);
    jobs.sort_by_key(|job| job["id"].as_str().unwrap().to_owned());
    let before = insider.rig.job(jobs[0]["id"].as_str().unwrap()).await;
    let forged = encode(&tasks[0].progress(0.9));
    let subject = streams::progress(tasks[1].task.job_id);
    let client = insider.rig.queue.client().clone();
    client.publish(subject, forged.into()).await.unwrap();
    // The API receives the messages in this order.
    insider.rig.queue.progress(&tasks[1].progress(0.5)).await.unwrap();
    let id = jobs[1]["id"].as_str().unwrap();
    insider.rig.until_job(id, |job| job["status"] == "running").await;
    insider.check_unchanged(&before).await;
}

#[tokio::test]
async fn a_dead_letter_goes_back_to_its_own_queue_alone() {
    let mut insider = Insider::new().await;
    let job = insider
        .rig
        .submit(&json!({ "stages": ["detect", "scale"] }))
        .await;
    let id = job["id"].as_str().unwrap();
    insider.act_as("downscale").await;
    let scale = insider.rig.pull(Stage::Scale).await;
    insider.act_as("langscale").await;
    let detect = insider.rig.pull(Stage::Detect).await;
    let before = insider.rig.job(id).await;
    let (detect_id, scale_id) = (detect.task.task_id, scale.task.task_id);

    let result = success(&scale, Vec::new());
    let own = success(&detect, Vec::new());
    let lane = before["lane"].as_str().unwrap().parse().unwrap();
    let forged = [
        // Results do not come from the queue of a stage.
        (streams::result(Stage::Scale, scale_id), encode(&result)),
        (streams::result(Stage::Detect, detect_id), encode(&own)),
        (streams::result(Stage::Detect, scale_id), encode(&result)),
        // A task of another stage, and one with another id.
        (streams::task(Stage::Scale, lane, scale_id), encode(&scale.task)),
        (streams::task(Stage::Detect, lane, scale_id), encode(&scale.task)),
        (
            streams::task(Stage::Detect, lane, Uuid::now_v7()),
            encode(&detect.task),
        ),
        ("vidp.cancel.x".to_owned(), encode(&detect.task)),
    ];
    for (subject, payload) in forged {
        let headers = [(streams::DEAD_SUBJECT_HEADER, subject.as_str())];
        publish(&insider.rig, &streams::dead("detect"), &headers, payload).await;
        let letter = list(&insider.rig).await.remove(0);
        assert_eq!(
            redrive(&insider.rig, &letter).await,
            StatusCode::CONFLICT,
            "{subject}"
        );
        super::dead_letters::ask(
            &insider.rig,
            reqwest::Method::DELETE,
            &format!("/{}", letter["id"]),
        )
        .await;
    }
    insider.check_unchanged(&before).await;

    // A task is made again from its job: what the letter says about the source does not count.
    let mut other = detect.task.clone();
    other.source.key = keys::source(Uuid::now_v7());
    other.output_prefix = keys::stage_prefix(Uuid::now_v7(), Stage::Detect);
    let subject = streams::task(Stage::Detect, lane, detect_id);
    let headers = [(streams::DEAD_SUBJECT_HEADER, subject.as_str())];
    publish(&insider.rig, &streams::dead("detect"), &headers, encode(&other)).await;
    detect
        .message
        .ack_with(async_nats::jetstream::AckKind::Term)
        .await
        .unwrap();
    let letter = list(&insider.rig).await.remove(0);
    until(async || redrive(&insider.rig, &letter).await == StatusCode::ACCEPTED).await;
    let again: Task = insider.rig.pull(Stage::Detect).await.task;
    assert_eq!(again, detect.task);
}
