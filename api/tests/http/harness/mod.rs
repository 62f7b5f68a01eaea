//! An API process with a separate broker, database and bucket for each test.

mod clients;
mod guarded;
mod requests;
mod worker;

pub(crate) use clients::{clients, node, python};
pub(crate) use guarded::Guarded;
pub(crate) use worker::{Pulled, french};

use bson::{Document, doc};
use clap::Parser;
use futures_util::TryStreamExt;
use reqwest::{Client, StatusCode, header};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use uuid::Uuid;
use vidp_common::{
    config::{NatsConfig, S3Config},
    queue::{ProblemKind, Queue},
    store::Store,
};
use vidp_engines::{Mongo, Nats, S3User, free_port};
use vidp_record::db::Db;

/// Time limit of one step of a test.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    nats: NatsConfig,
    #[command(flatten)]
    s3: S3Config,
}

pub(crate) struct Rig {
    pub(crate) nats: Nats,
    pub(crate) queue: Queue,
    pub(crate) store: Store,
    pub(crate) http: Client,
    pub(crate) url: String,
    /// Address of the probes and metrics.
    pub(crate) probes: String,
    pub(crate) folder: tempfile::TempDir,
    api: Child,
    env: Vec<(&'static str, String)>,
}

impl Rig {
    pub(crate) async fn new() -> Rig {
        Rig::with(&[]).await
    }

    /// Starts it with a sweeper that claims no stage during the test. A claim is a revision of the job.
    pub(crate) async fn without_sweeper() -> Rig {
        Rig::with(&[("VIDP_STALE_SECONDS", "600".to_owned())]).await
    }

    /// Starts it with additional settings, which override the defaults.
    pub(crate) async fn with(more: &[(&'static str, String)]) -> Rig {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let nats = Nats::start(&folder.path().join("nats"), 0).unwrap();
        let engines = vidp_engines::shared();
        let key = engines.s3.key(S3User::Api);
        let id = Uuid::now_v7().simple().to_string();
        let (port, probe_port) = (free_port(), free_port());
        let mut env = vec![
            ("VIDP_BIND", format!("127.0.0.1:{port}")),
            ("VIDP_PROBE_BIND", format!("127.0.0.1:{probe_port}")),
            ("VIDP_AUTH", "off".to_owned()),
            ("VIDP_NATS_URL", nats.url()),
            ("VIDP_MONGODB_URL", engines.mongo.url()),
            ("VIDP_MONGODB_DATABASE", format!("test-{id}")),
            ("VIDP_S3_ENDPOINT", engines.s3.endpoint()),
            ("VIDP_S3_ACCESS_KEY", key.access_key.clone()),
            ("VIDP_S3_SECRET_KEY", key.secret_key.clone()),
            ("VIDP_S3_BUCKET", format!("test-{id}")),
            ("VIDP_SWEEP_SECONDS", "1".to_owned()),
            ("VIDP_STALE_SECONDS", "3".to_owned()),
            ("VIDP_MAX_UPLOAD_MB", "12".to_owned()),
        ];
        env.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        env.extend_from_slice(more);
        let optional = |name: &str| {
            env.iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| value.clone())
        };
        let value = |name: &str| optional(name).unwrap();
        // The tests act as the operator, who creates other buckets, unless the test has its own store.
        let operator = |name: &str, own: &str| {
            let is_shared = value("VIDP_S3_ENDPOINT") == engines.s3.endpoint();
            if is_shared { own.to_owned() } else { value(name) }
        };
        let config = Cli::parse_from([
            "test".to_owned(),
            format!("--nats-url={}", value("VIDP_NATS_URL")),
            format!("--nats-user={}", optional("VIDP_NATS_USER").unwrap_or_default()),
            format!(
                "--nats-password={}",
                optional("VIDP_NATS_PASSWORD").unwrap_or_default()
            ),
            format!("--s3-endpoint={}", value("VIDP_S3_ENDPOINT")),
            format!(
                "--s3-access-key={}",
                operator("VIDP_S3_ACCESS_KEY", engines.s3.access_key())
            ),
            format!(
                "--s3-secret-key={}",
                operator("VIDP_S3_SECRET_KEY", engines.s3.secret_key())
            ),
            format!("--s3-bucket={}", value("VIDP_S3_BUCKET")),
        ]);
        let rig = Rig {
            queue: Queue::connect(&config.nats, "test").await.unwrap(),
            store: Store::new(&config.s3),
            http: Client::new(),
            url: format!("http://127.0.0.1:{port}"),
            probes: format!("http://127.0.0.1:{probe_port}"),
            api: start(&env),
            nats,
            folder,
            env,
        };
        rig.ready().await;
        rig
    }

    /// Sends this key with every later request.
    pub(crate) fn with_key(mut self, key: &str) -> Rig {
        let mut headers = header::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        self.http = Client::builder().default_headers(headers).build().unwrap();
        self
    }

    pub(crate) async fn ready(&self) {
        until(async || {
            let answer = self.http.get(format!("{}/ready", self.url)).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
        until(async || {
            let metrics = self.queue.metrics().await;
            metrics.is_ok_and(|metrics| {
                let mut problems = metrics.problems.iter();
                problems.all(|problem| problem.kind != ProblemKind::Missing)
            })
        })
        .await;
    }

    /// Kills the API with SIGKILL, as the kernel does when memory is short.
    pub(crate) fn kill_api(&mut self) {
        self.api.kill().unwrap();
        self.api.wait().unwrap();
    }

    /// Stops the API with SIGTERM; returns the exit code.
    pub(crate) fn stop_api(&mut self) -> Option<i32> {
        // SAFETY: a system call on our own child, which has not been waited for.
        unsafe { libc::kill(self.api.id().cast_signed(), libc::SIGTERM) };
        self.api.wait().unwrap().code()
    }

    pub(crate) async fn start_api(&mut self) {
        self.api = start(&self.env);
        self.ready().await;
    }

    /// The value of a setting.
    pub(crate) fn setting(&self, name: &str) -> &str {
        let mut found = self.env.iter().rev();
        let (_, value) = found.find(|(other, _)| *other == name).expect("it is set");
        value
    }

    /// The documents of a collection as they are stored, after `change`.
    pub(crate) async fn stored(&self, collection: &str, change: Option<Document>) -> Vec<Document> {
        let name = self.setting("VIDP_MONGODB_DATABASE");
        let db = Db::connect(self.setting("VIDP_MONGODB_URL"), name).await.unwrap();
        let collection = db
            .jobs()
            .client()
            .database(name)
            .collection::<Document>(collection);
        if let Some(change) = change {
            collection.update_many(doc! {}, change).await.unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "a test reads without a time limit")]
        let found = collection.find(doc! {}).await.unwrap();
        found.try_collect().await.unwrap()
    }

    /// Changes a setting for the next start.
    pub(crate) fn set_env(&mut self, name: &'static str, value: Option<&str>) {
        self.env.retain(|(other, _)| *other != name);
        self.env.extend(value.map(|value| (name, value.to_owned())));
    }

    /// The largest resident memory of the API so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.api.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    pub(crate) fn api_is_running(&mut self) -> bool {
        self.api.try_wait().unwrap().is_none()
    }
}

/// Another API process with the same record.
pub(crate) struct Replica {
    pub(crate) url: String,
    process: Child,
}

impl Rig {
    /// Starts another replica.
    pub(crate) async fn replica(&self) -> Replica {
        let port = free_port();
        let mut env = self.env.clone();
        env.retain(|(name, _)| !["VIDP_BIND", "VIDP_PROBE_BIND"].contains(name));
        env.push(("VIDP_BIND", format!("127.0.0.1:{port}")));
        env.push(("VIDP_PROBE_BIND", "127.0.0.1:0".to_owned()));
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

/// Waits until the condition holds; panics after [`LIMIT`].
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait)
        .await
        .expect("the condition holds in time");
}

/// The settings of a connection to the broker as `user`.
pub(crate) fn nats(url: &str, user: &str, password: &str) -> NatsConfig {
    let args = [("url", url), ("user", user), ("password", password)];
    let args = args.map(|(name, value)| format!("--nats-{name}={value}"));
    let none = ["--s3-access-key=", "--s3-secret-key="].map(str::to_owned);
    Cli::parse_from(["test".to_owned()].into_iter().chain(args).chain(none)).nats
}

/// A MongoDB that a test may stop.
pub(crate) fn own_mongo(folder: &Path) -> Mongo {
    Mongo::start(&folder.join("mongo"), 0).unwrap()
}
