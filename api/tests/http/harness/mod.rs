//! An API process with a broker, a database and a bucket of its own.

use async_nats::jetstream::AckKind;
use clap::Parser;
use futures_util::StreamExt;
use reqwest::{Client, Response, StatusCode, header, multipart};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use uuid::Uuid;
use vidp_common::{
    config::{NatsConfig, S3Config},
    queue::Queue,
    store::Store,
};
use vidp_contract::{
    Lane, Outcome, Output, Progress, Stage, Success, Task, TaskResult, Timings, TraceParent, keys,
};
use vidp_engines::{Mongo, Nats, free_port};

/// Nothing here takes longer, unless it hangs.
pub const LIMIT: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    nats: NatsConfig,
    #[command(flatten)]
    s3: S3Config,
}

pub struct Rig {
    pub nats: Nats,
    pub queue: Queue,
    pub store: Store,
    pub http: Client,
    pub url: String,
    pub folder: tempfile::TempDir,
    api: Child,
    env: Vec<(&'static str, String)>,
}

impl Rig {
    pub async fn new() -> Rig {
        Rig::with(&[]).await
    }

    /// With more settings, which win.
    pub async fn with(more: &[(&'static str, String)]) -> Rig {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let nats = Nats::start(&folder.path().join("nats"), 0).unwrap();
        let engines = vidp_engines::shared();
        let id = Uuid::now_v7().simple().to_string();
        let port = free_port();
        let mut env = vec![
            ("VIDP_BIND", format!("127.0.0.1:{port}")),
            ("VIDP_AUTH", "off".to_owned()),
            ("VIDP_NATS_URL", nats.url()),
            ("VIDP_MONGODB_URL", engines.mongo.url()),
            ("VIDP_MONGODB_DATABASE", format!("test-{id}")),
            ("VIDP_S3_ENDPOINT", engines.s3.endpoint()),
            ("VIDP_S3_ACCESS_KEY", engines.s3.access_key().to_owned()),
            ("VIDP_S3_SECRET_KEY", engines.s3.secret_key().to_owned()),
            ("VIDP_S3_BUCKET", format!("test-{id}")),
            ("VIDP_SWEEP_SECONDS", "1".to_owned()),
            ("VIDP_STALE_SECONDS", "3".to_owned()),
            ("VIDP_MAX_UPLOAD_MB", "12".to_owned()),
        ];
        env.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        env.extend_from_slice(more);
        let value = |name: &str| env.iter().find(|(other, _)| *other == name).unwrap().1.clone();
        let config = Cli::parse_from([
            "test".to_owned(),
            format!("--nats-url={}", value("VIDP_NATS_URL")),
            format!("--s3-endpoint={}", value("VIDP_S3_ENDPOINT")),
            format!("--s3-access-key={}", value("VIDP_S3_ACCESS_KEY")),
            format!("--s3-secret-key={}", value("VIDP_S3_SECRET_KEY")),
            format!("--s3-bucket={}", value("VIDP_S3_BUCKET")),
        ]);
        let rig = Rig {
            queue: Queue::connect(&config.nats, "test").await.unwrap(),
            store: Store::new(&config.s3),
            http: Client::new(),
            url: format!("http://127.0.0.1:{port}"),
            api: start(&env),
            nats,
            folder,
            env,
        };
        rig.ready().await;
        rig
    }

    /// From here on as the owner of this key.
    pub fn with_key(mut self, key: &str) -> Rig {
        let mut headers = header::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        self.http = Client::builder().default_headers(headers).build().unwrap();
        self
    }

    /// From here on without a key.
    pub fn without_key(mut self) -> Rig {
        self.http = Client::new();
        self
    }

    pub async fn ready(&self) {
        until(async || {
            let answer = self.http.get(format!("{}/ready", self.url)).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
        until(async || self.queue.depth(Stage::Detect, Lane::Batch).await.is_ok()).await;
    }

    /// SIGKILL, as the kernel's memory killer does it.
    pub fn kill_api(&mut self) {
        self.api.kill().unwrap();
        self.api.wait().unwrap();
    }

    /// SIGTERM; gives the exit code.
    pub fn stop_api(&mut self) -> Option<i32> {
        // SAFETY: a plain system call on our own child.
        unsafe { libc::kill(self.api.id().cast_signed(), libc::SIGTERM) };
        self.api.wait().unwrap().code()
    }

    pub async fn start_api(&mut self) {
        self.api = start(&self.env);
        self.ready().await;
    }

    /// A setting of the next start.
    pub fn set_env(&mut self, name: &'static str, value: Option<&str>) {
        self.env.retain(|(other, _)| *other != name);
        self.env.extend(value.map(|value| (name, value.to_owned())));
    }

    pub fn api_is_running(&mut self) -> bool {
        self.api.try_wait().unwrap().is_none()
    }

    pub fn jobs_url(&self) -> String {
        format!("{}/api/v1/jobs", self.url)
    }

    pub async fn post_form(&self, options: &Value, bytes: Vec<u8>) -> Response {
        let file = multipart::Part::bytes(bytes)
            .file_name("clip.mp4")
            .mime_str("video/mp4")
            .unwrap();
        let form = multipart::Form::new()
            .text("options", options.to_string())
            .part("file", file);
        self.http
            .post(self.jobs_url())
            .multipart(form)
            .send()
            .await
            .unwrap()
    }

    /// Uploads a small file and gives the job.
    pub async fn submit(&self, options: &Value) -> Value {
        let answer = self.post_form(options, b"some bytes".to_vec()).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        answer.json().await.unwrap()
    }

    /// The first page of the jobs that a query such as `?status=failed` gives.
    pub async fn list(&self, query: &str) -> Vec<Value> {
        let answer = self
            .http
            .get(format!("{}{query}", self.jobs_url()))
            .send()
            .await
            .unwrap();
        answer.json::<Value>().await.unwrap()["data"]
            .as_array()
            .unwrap()
            .clone()
    }

    pub async fn job(&self, id: &str) -> Value {
        let answer = self
            .http
            .get(format!("{}/{id}", self.jobs_url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    pub async fn until_job(&self, id: &str, condition: impl Fn(&Value) -> bool) -> Value {
        until(async || condition(&self.job(id).await)).await;
        self.job(id).await
    }

    pub async fn post(&self, id: &str, action: &str) -> Response {
        self.http
            .post(format!("{}/{id}/{action}", self.jobs_url()))
            .send()
            .await
            .unwrap()
    }

    /// Takes the next task of a stage off the queue, as a worker would.
    pub async fn pull(&self, stage: Stage) -> Pulled {
        self.pull_from(stage, Lane::Interactive).await
    }

    pub async fn pull_from(&self, stage: Stage, lane: Lane) -> Pulled {
        let consumer = self.queue.lane_consumer(stage, lane).await.unwrap();
        let mut batch = consumer
            .batch()
            .max_messages(1)
            .expires(LIMIT)
            .messages()
            .await
            .unwrap();
        let message = batch.next().await.expect("a task within the limit").unwrap();
        let task = serde_json::from_slice(&message.payload).unwrap();
        Pulled { task, message }
    }

    /// Publishes a result, as a worker would.
    pub async fn publish(&self, result: &TaskResult) {
        let trace = TraceParent::of_job(result.job_id);
        self.queue.publish_result(result, &trace).await.unwrap();
    }

    /// Stores an output and answers the task with success.
    pub async fn succeed(&self, pulled: &Pulled, report: Value) -> TaskResult {
        let key = keys::output(&pulled.task.output_prefix, Uuid::now_v7(), "out.bin");
        let path = self.folder.path().join("out.bin");
        std::fs::write(&path, b"0123456789").unwrap();
        let stored = self.store.upload(&key, &path, "video/mp4").await.unwrap();
        let output = Output {
            name: "out.bin".to_owned(),
            key,
            size: stored.size,
            sha256: stored.sha256,
            content_type: "video/mp4".to_owned(),
        };
        let success = Success {
            outputs: vec![output],
            report: report.as_object().unwrap().clone(),
        };
        self.answer(pulled, Outcome::Succeeded(success)).await
    }

    /// Answers the task.
    pub async fn answer(&self, pulled: &Pulled, outcome: Outcome) -> TaskResult {
        let result = pulled.result(outcome);
        self.publish(&result).await;
        pulled.message.ack_with(AckKind::Ack).await.unwrap();
        result
    }
}

/// One more API process on the same record.
pub struct Replica {
    pub url: String,
    process: Child,
}

impl Rig {
    /// Starts another replica.
    pub async fn replica(&self) -> Replica {
        let port = free_port();
        let mut env = self.env.clone();
        env.retain(|(name, _)| *name != "VIDP_BIND");
        env.push(("VIDP_BIND", format!("127.0.0.1:{port}")));
        let url = format!("http://127.0.0.1:{port}");
        let process = start(&env);
        until(async || {
            let answer = self.http.get(format!("{url}/ready")).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
        Replica { url, process }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A file of `tests/clients`.
pub fn clients(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

/// Python with one of the sets of clients that `scripts/setup.py --checks` installs.
pub fn python(environment: &str) -> tokio::process::Command {
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.engines");
    let mut command = tokio::process::Command::new(engines.join(environment).join("bin/python"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Node.js with a script that uses the packages of `scripts/npm`.
pub fn node(script: PathBuf) -> tokio::process::Command {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.engines/npm/node_modules");
    let mut command = tokio::process::Command::new("node");
    command
        .arg(script)
        .env("NODE_PATH", packages)
        .stdin(Stdio::null());
    command
}

/// An API that asks for keys.
pub struct Guarded {
    pub rig: Rig,
}

impl Guarded {
    const ADMIN_KEY: &str =
        "vidp_0123456789abcdef0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef";

    pub async fn new() -> Guarded {
        Guarded::with(&[]).await
    }

    /// With more settings.
    pub async fn with(more: &[(&'static str, String)]) -> Guarded {
        let keys = [
            ("VIDP_AUTH", "keys".to_owned()),
            (
                "VIDP_KEY_SECRET",
                "the tests' own secret, known to nobody".to_owned(),
            ),
            ("VIDP_ADMIN_KEY", Guarded::ADMIN_KEY.to_owned()),
        ];
        Guarded {
            rig: Rig::with(&[&keys, more].concat()).await,
        }
    }

    /// Asks as the operator.
    pub async fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/{path}", self.rig.url);
        let mut request = self.rig.http.request(method.parse().unwrap(), url);
        request = request.bearer_auth(Guarded::ADMIN_KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    /// A new key's text.
    pub async fn key(&self, tenant: &str, scopes: &[&str]) -> String {
        let body = json!({ "name": "test", "tenant": tenant, "scopes": scopes });
        let (status, made) = self.admin("POST", "keys", Some(&body)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["key"].as_str().unwrap().to_owned()
    }
}

pub struct Pulled {
    pub task: Task,
    pub message: async_nats::jetstream::Message,
}

impl Pulled {
    pub fn result(&self, outcome: Outcome) -> TaskResult {
        TaskResult {
            task_id: self.task.task_id,
            job_id: self.task.job_id,
            stage: self.task.work.stage(),
            attempt: 1,
            outcome,
            timings: Timings::default(),
            worker: "test".to_owned(),
        }
    }

    pub fn progress(&self, share: f64) -> Progress {
        Progress {
            task_id: self.task.task_id,
            job_id: self.task.job_id,
            stage: self.task.work.stage(),
            attempt: 1,
            progress: share,
            phase: "work".to_owned(),
            speed: Some(2.0),
            worker: "test".to_owned(),
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.api.kill();
        let _ = self.api.wait();
    }
}

fn start(env: &[(&'static str, String)]) -> Child {
    let log = if std::env::var_os("VIDP_TEST_LOG").is_some() {
        Stdio::inherit()
    } else {
        Stdio::null()
    };
    Command::new(env!("CARGO_BIN_EXE_vidp-api"))
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Waits until the condition holds.
pub async fn until(condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait)
        .await
        .expect("the condition holds in time");
}

/// A MongoDB that a test may stop.
pub fn own_mongo(folder: &Path) -> Mongo {
    Mongo::start(&folder.join("mongo"), 0).unwrap()
}

/// A report of `detect` that found French.
pub fn french() -> Value {
    json!({
        "language": { "code": "fr", "name": "French" }, "confidence": 0.97,
        "probabilities": [{ "code": "fr", "probability": 0.97 }], "windows": [], "bytes_read": 10
    })
}
