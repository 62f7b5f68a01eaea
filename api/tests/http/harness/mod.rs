//! An API process with a separate broker, database and bucket for each test.

mod clients;
mod guarded;
mod requests;
mod worker;

pub(crate) use clients::{clients, node, python};
pub(crate) use guarded::Guarded;
pub(crate) use worker::{Pulled, french};

use clap::Parser;
use reqwest::{Client, StatusCode, header};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use uuid::Uuid;
use vidp_common::{
    config::{NatsConfig, S3Config},
    queue::Queue,
    store::Store,
};
use vidp_contract::{Lane, Stage};
use vidp_engines::{Mongo, Nats, free_port};

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

    /// Sends this key with every later request.
    pub(crate) fn with_key(mut self, key: &str) -> Rig {
        let mut headers = header::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        self.http = Client::builder().default_headers(headers).build().unwrap();
        self
    }

    /// Sends later requests without a key.
    pub(crate) fn without_key(mut self) -> Rig {
        self.http = Client::new();
        self
    }

    pub(crate) async fn ready(&self) {
        until(async || {
            let answer = self.http.get(format!("{}/ready", self.url)).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
        until(async || self.queue.depth(Stage::Detect, Lane::Batch).await.is_ok()).await;
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

    /// Changes a setting for the next start.
    pub(crate) fn set_env(&mut self, name: &'static str, value: Option<&str>) {
        self.env.retain(|(other, _)| *other != name);
        self.env.extend(value.map(|value| (name, value.to_owned())));
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

/// A MongoDB that a test may stop.
pub(crate) fn own_mongo(folder: &Path) -> Mongo {
    Mongo::start(&folder.join("mongo"), 0).unwrap()
}
