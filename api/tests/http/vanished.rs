//! Parts of the engines that vanish, or that an operator changes, while the API runs. The broker has the shipped users.

use crate::harness::{Rig, nats, until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{fs, path::Path};
use vidp_common::queue::Queue;
use vidp_contract::{Stage, streams};
use vidp_engines::{Nats, S3, S3User, Users};
use vidp_record::db::Db;

const PASSWORD: &str = "only-for-tests";

/// An API whose broker has the users of the deployments, and an administrator.
struct Site {
    rig: Rig,
    nats: Nats,
    folder: tempfile::TempDir,
    admin: Queue,
    /// A connection with the rights of a worker of `scale`.
    worker: Queue,
}

impl Site {
    async fn new(settings: &[(&'static str, &str)]) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats/auth.conf");
        let admin = format!("users: [\n{{ user: admin, password: {PASSWORD} }}");
        let text = fs::read_to_string(shipped).unwrap();
        let file = folder.path().join("auth.conf");
        fs::write(&file, text.replacen("users: [", &admin, 1)).unwrap();
        let password = |user: &str| (format!("NATS_{user}_PASSWORD"), PASSWORD.to_owned());
        let passwords = ["API", "LANGSCALE", "DOWNSCALE", "SUBTITLE"].map(password).into();
        let nats = Nats::start_for(&folder.path().join("nats"), 0, Users { file, passwords }).unwrap();
        let own = [
            ("VIDP_NATS_URL", nats.url().as_str()),
            ("VIDP_NATS_USER", "api"),
            ("VIDP_NATS_PASSWORD", PASSWORD),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let more = settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let settings: Vec<_> = own.into_iter().chain(more).collect();
        Site {
            admin: connect(&nats, "admin").await,
            worker: connect(&nats, "downscale").await,
            rig: Rig::with(&settings).await,
            nats,
            folder,
        }
    }

    /// Sends a request to JetStream's API as the administrator.
    async fn administer(&self, request: &str, body: Value) -> Value {
        let subject = format!("$JS.API.{request}");
        let body = body.to_string();
        let answer = self.admin.client().request(subject, body.into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert!(answer.get("error").is_none(), "{request}: {answer}");
        answer
    }

    /// Works on the task of one new job, with the rights of a worker that may create nothing.
    async fn check_work(&mut self) {
        let job = self.rig.submit(&json!({ "stages": ["scale"] })).await;
        self.check_job(&job).await;
    }

    async fn check_job(&mut self, job: &Value) {
        let lane = vidp_contract::Lane::Interactive;
        until(async || self.worker.lane_consumer(Stage::Scale, lane).await.is_ok()).await;
        let api = std::mem::replace(&mut self.rig.queue, self.worker.clone());
        let task = self.rig.pull(Stage::Scale).await;
        self.rig.succeed(&task, json!({})).await;
        self.rig.queue = api;
        let id = job["id"].as_str().unwrap();
        self.rig.until_job(id, |job| job["status"] == "succeeded").await;
    }

    async fn health(&self) -> Value {
        let url = format!("{}/api/v1/processing/health", self.rig.url);
        let answer = self.rig.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    /// Waits until health reports this one problem, whose detail has these words.
    async fn until_problem(&self, object: &str, kind: &str, words: &str) {
        until(async || self.health().await["problems"][0]["object"] == object).await;
        let health = self.health().await;
        assert_eq!(health["status"], "degraded", "{health}");
        assert_eq!(health["problems"].as_array().unwrap().len(), 1, "{health}");
        assert_eq!(health["problems"][0]["problem"], kind, "{health}");
        let detail = health["problems"][0]["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
        let metric = format!("vidp_queue_problem{{object=\"{object}\",problem=\"{kind}\"}}");
        assert_eq!(self.rig.metric(&metric).await, Some(1.0));
        assert_eq!(self.rig.metric("vidp_broker_up").await, Some(1.0));
    }

    async fn until_healthy(&self) {
        until(async || self.health().await["status"] == "ok").await;
        let metric = "vidp_queue_problem{object=\"scale-interactive\",problem=\"missing\"}";
        assert_eq!(self.rig.metric(metric).await, Some(0.0));
    }
}

async fn connect(nats: &Nats, user: &str) -> Queue {
    let config = self::nats(&nats.url(), user, PASSWORD);
    Queue::connect(&config, "test").await.unwrap()
}

#[tokio::test]
async fn consumers_that_vanish_are_made_again() {
    let mut site = Site::new(&[]).await;
    site.check_work().await;
    for consumer in ["scale-interactive", "scale-batch", "detect-batch"] {
        let request = format!("CONSUMER.DELETE.{}.{consumer}", streams::TASKS);
        site.administer(&request, json!({})).await;
    }
    let request = format!("CONSUMER.DELETE.{}.{}", streams::RESULTS, streams::API_CONSUMER);
    site.administer(&request, json!({})).await;
    site.check_work().await;
    site.until_healthy().await;
    let repairs = "vidp_sweeper_repairs_total{kind=\"recreated\"}";
    assert!(site.rig.metric(repairs).await >= Some(3.0));
}

#[tokio::test]
async fn streams_that_vanish_are_made_again_with_their_tasks() {
    let mut site = Site::new(&[]).await;
    let job = site.rig.submit(&json!({ "stages": ["scale"] })).await;
    let depth = "vidp_queue_depth{stage=\"scale\",lane=\"interactive\"}";
    until(async || site.rig.metric(depth).await == Some(1.0)).await;
    for stream in streams::ALL {
        site.administer(&format!("STREAM.DELETE.{stream}"), json!({}))
            .await;
    }
    site.check_job(&job).await;
    site.until_healthy().await;
}

#[tokio::test]
async fn a_broker_that_comes_back_empty_gets_its_tasks_again() {
    let mut site = Site::new(&[]).await;
    let job = site.rig.submit(&json!({ "stages": ["scale"] })).await;
    let depth = "vidp_queue_depth{stage=\"scale\",lane=\"interactive\"}";
    until(async || site.rig.metric(depth).await == Some(1.0)).await;
    site.nats.stop();
    fs::remove_dir_all(site.folder.path().join("nats/jetstream")).unwrap();
    site.nats.restart().unwrap();
    site.check_job(&job).await;
    site.until_healthy().await;
}

#[tokio::test]
async fn health_names_what_is_missing() {
    // A sweeper that does not run in time: the state does not change.
    let settings = [("VIDP_SWEEP_SECONDS", "500"), ("VIDP_STALE_SECONDS", "600")];
    let site = Site::new(&settings).await;
    site.until_healthy().await;
    let request = format!("CONSUMER.DELETE.{}.scale-interactive", streams::TASKS);
    site.administer(&request, json!({})).await;
    site.until_problem("scale-interactive", "missing", "does not exist")
        .await;
    let health = site.health().await;
    assert_eq!(
        (
            &health["stages"]["scale"]["status"],
            &health["stages"]["detect"]["status"]
        ),
        (&json!("degraded"), &json!("ok"))
    );
    assert_eq!(
        health["stages"]["scale"]["queue_depth"]["interactive"],
        Value::Null
    );
    // The API accepts uploads, so it is ready.
    let ready = site.rig.http.get(format!("{}/ready", site.rig.url)).send().await;
    assert_eq!(ready.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_paused_consumer_is_named_and_stays_paused() {
    let mut site = Site::new(&[]).await;
    site.until_healthy().await;
    let request = format!("CONSUMER.PAUSE.{}.scale-interactive", streams::TASKS);
    let paused = site
        .administer(&request, json!({ "pause_until": "2999-01-01T00:00:00Z" }))
        .await;
    assert_eq!(paused["paused"], true);
    site.until_problem("scale-interactive", "paused", "is paused for another")
        .await;
    // The API restores settings at its start, but a pause is an operator's decision.
    site.rig.kill_api();
    site.rig.start_api().await;
    site.until_problem("scale-interactive", "paused", "is paused for another")
        .await;
    let resumed = site.administer(&request, json!({})).await;
    assert_eq!(resumed["paused"], false);
    site.until_healthy().await;
    site.check_work().await;
}

#[tokio::test]
async fn settings_changed_by_hand_are_named_until_the_next_start() {
    let mut site = Site::new(&[]).await;
    let info = format!("CONSUMER.INFO.{}.scale-batch", streams::TASKS);
    let mut config = site.administer(&info, json!({})).await["config"].take();
    config["max_deliver"] = json!(3);
    let request = format!(
        "CONSUMER.CREATE.{}.scale-batch.vidp.tasks.scale.batch.*",
        streams::TASKS
    );
    let body = json!({ "stream_name": streams::TASKS, "config": config, "action": "update" });
    site.administer(&request, body).await;
    site.until_problem("scale-batch", "changed", "max_deliver is 3 instead of -1")
        .await;
    site.rig.kill_api();
    site.rig.start_api().await;
    site.until_healthy().await;
}

#[tokio::test]
async fn without_its_bucket_the_api_waits_and_a_start_makes_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("s3");
    let mut s3 = S3::start(&data, 0).unwrap();
    let key = s3.key(S3User::Api).clone();
    let settings = [
        ("VIDP_S3_ENDPOINT", s3.endpoint()),
        ("VIDP_S3_ACCESS_KEY", key.access_key),
        ("VIDP_S3_SECRET_KEY", key.secret_key),
    ];
    let mut rig = Rig::with(&settings).await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    s3.stop();
    fs::remove_dir_all(&data).unwrap();
    fs::create_dir(&data).unwrap();
    s3.restart().unwrap();
    let upload = async || rig.post_form(&json!({}), b"some bytes".to_vec()).await.status();
    assert_eq!(upload().await, StatusCode::SERVICE_UNAVAILABLE);
    let ready = rig.http.get(format!("{}/ready", rig.url)).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    rig.kill_api();
    rig.start_api().await;
    let upload = rig.post_form(&json!({}), b"some bytes".to_vec()).await;
    assert_eq!(upload.status(), StatusCode::ACCEPTED);
    assert_eq!(rig.job(job["id"].as_str().unwrap()).await["status"], "queued");
}

#[tokio::test]
async fn indexes_that_vanish_are_made_again() {
    let rig = Rig::new().await;
    let (url, name) = (
        rig.setting("VIDP_MONGODB_URL"),
        rig.setting("VIDP_MONGODB_DATABASE"),
    );
    let db = Db::connect(url, name).await.unwrap();
    let names = async || {
        let mut names = db.jobs().list_index_names().await.unwrap();
        names.sort();
        names
    };
    let before = names().await;
    assert!(before.len() > 10, "{before:?}");
    db.jobs().drop_indexes().await.unwrap();
    assert_eq!(names().await, ["_id_"]);
    until(async || names().await == before).await;
}
