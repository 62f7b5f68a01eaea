//! A separate broker and bucket for each test.

use async_nats::jetstream::consumer::PullConsumer;
use clap::Parser;
use futures_util::StreamExt;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vidp_common::{
    config::{NatsConfig, S3Config, WorkerConfig},
    queue::Queue,
    store::Store,
};
use vidp_contract::{
    DetectOptions, Lane, ScaleOptions, Source, Stage, SubtitleOptions, Task, TaskResult, TraceParent, Work,
    hex, keys, streams,
};
use vidp_engines::{Nats, S3, S3User, Users};
use vidp_worker::{self, Attempt, TaskError};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    worker: WorkerConfig,
}

/// Time limit of every wait in these tests.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Rig {
    pub(crate) stage: Stage,
    pub(crate) nats: Nats,
    pub(crate) queue: Queue,
    pub(crate) store: Store,
    pub(crate) config: WorkerConfig,
    pub(crate) folder: tempfile::TempDir,
}

const PASSWORD: &str = "only-for-tests";

/// The users of Compose and Kubernetes, and an administrator. All tests must pass with their permissions.
fn users(folder: &Path) -> Users {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats/auth.conf");
    let text = fs::read_to_string(shipped).unwrap();
    let admin = format!("users: [\n{{ user: admin, password: {PASSWORD} }}");
    let file = folder.join("auth.conf");
    fs::write(&file, text.replacen("users: [", &admin, 1)).unwrap();
    let password = |user: &str| (format!("NATS_{user}_PASSWORD"), PASSWORD.to_owned());
    Users {
        file,
        passwords: ["API", "LANGSCALE", "DOWNSCALE", "SUBTITLE"].map(password).into(),
    }
}

/// A connection with the permissions of `user`.
pub(crate) async fn connect(config: &WorkerConfig, user: &str) -> Queue {
    let config = NatsConfig {
        nats_user: user.to_owned(),
        ..config.nats.clone()
    };
    Queue::connect(&config, "test").await.unwrap()
}

impl Rig {
    pub(crate) async fn new() -> Rig {
        Rig::of(Stage::Scale, &vidp_engines::shared().s3).await
    }

    /// For the workers of a stage, with a store that the test can stop.
    pub(crate) async fn of(stage: Stage, s3: &S3) -> Rig {
        Rig::leasing(stage, s3, 3).await
    }

    /// As [`Rig::of`], with a lease in seconds: a busy disk may delay the answer to a heartbeat for longer than 3 s.
    pub(crate) async fn leasing(stage: Stage, s3: &S3, seconds: u32) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let nats = Nats::start_for(&folder.path().join("nats"), 0, users(folder.path())).unwrap();
        let (user, key) = match stage {
            Stage::Detect => ("langscale", S3User::Langscale),
            Stage::Scale => ("downscale", S3User::Downscale),
            Stage::Subtitle => ("subtitle", S3User::Subtitle),
        };
        let bucket = format!("test-{}", Uuid::now_v7());
        let scratch = folder.path().join("scratch");
        let key = s3.key(key);
        let config = Cli::try_parse_from([
            "worker",
            "--nats-url",
            &nats.url(),
            "--nats-user",
            user,
            "--nats-password",
            PASSWORD,
            "--ack-wait-seconds",
            &seconds.to_string(),
            "--s3-endpoint",
            &s3.endpoint(),
            "--s3-access-key",
            &key.access_key,
            "--s3-secret-key",
            &key.secret_key,
            "--s3-bucket",
            &bucket,
            "--bind",
            "127.0.0.1:0",
            "--drain-seconds",
            "1",
            "--scratch-dir",
            scratch.to_str().unwrap(),
        ])
        .unwrap()
        .worker;
        // The tests act as the API and as the operator.
        let store = Store::new(&S3Config {
            s3_access_key: s3.access_key().to_owned(),
            s3_secret_key: s3.secret_key().to_owned(),
            ..config.s3.clone()
        });
        store.ensure_bucket().await.unwrap();
        let rig = Rig {
            stage,
            queue: connect(&config, "api").await,
            nats,
            store,
            config,
            folder,
        };
        rig.queue.ensure().await.unwrap();
        rig
    }

    /// Starts a worker with this handler. It stops when the token is cancelled.
    ///
    /// The worker runs in the test's process. A test that stops or starts an engine beside it needs a runtime with a
    /// thread for the worker (`multi_thread`): the call blocks, and without heartbeats the worker would lose its lease.
    pub(crate) fn worker<H, F>(&self, handler: H) -> (CancellationToken, JoinHandle<()>)
    where
        H: Fn(Arc<Attempt>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Map<String, Value>, TaskError>> + Send + 'static,
    {
        let (stop, config, stage) = (CancellationToken::new(), self.config.clone(), self.stage);
        let stopped = stop.clone();
        let run = async move {
            vidp_worker::serve(stage, 0, config, stopped, handler)
                .await
                .unwrap()
        };
        (stop, tokio::spawn(run))
    }

    /// A task whose source is stored.
    pub(crate) async fn task(&self) -> Task {
        let job_id = Uuid::now_v7();
        let source = b"not really a video";
        let path = self.folder.path().join(job_id.to_string());
        std::fs::write(&path, source).unwrap();
        self.store
            .upload(&keys::source(job_id), &path, "video/mp4")
            .await
            .unwrap();
        Task {
            task_id: Uuid::now_v7(),
            job_id,
            attempt_limit: 3,
            deadline: time::OffsetDateTime::now_utc() + Duration::from_secs(600),
            source: Source {
                bucket: self.store.bucket().to_owned(),
                key: keys::source(job_id),
                size: source.len() as u64,
                sha256: hex(&Sha256::digest(source)),
            },
            output_prefix: keys::stage_prefix(job_id, self.stage),
            work: match self.stage {
                Stage::Detect => Work::Detect(DetectOptions::default()),
                Stage::Scale => Work::Scale(ScaleOptions::default()),
                Stage::Subtitle => Work::Subtitle(SubtitleOptions::default()),
            },
        }
    }

    pub(crate) async fn publish(&self, task: &Task) {
        self.queue
            .publish_task(Lane::Interactive, task, &TraceParent::of_job(task.job_id))
            .await
            .unwrap();
    }

    /// The next result in the stream.
    pub(crate) async fn result(&self) -> TaskResult {
        let consumer = self.queue.results_consumer().await.unwrap();
        let message = next(&consumer).await;
        message.ack().await.unwrap();
        serde_json::from_slice(&message.payload).unwrap()
    }

    /// Waits until no task is in the queue.
    pub(crate) async fn empty(&self) {
        until(async || self.queue.depth(self.stage, Lane::Interactive).await.unwrap() == 0).await;
    }

    /// Reason and payload of the first message in the dead stream.
    pub(crate) async fn dead(&self) -> (String, Vec<u8>) {
        let jetstream = async_nats::jetstream::new(self.queue.client().clone());
        let stream = jetstream.get_stream_no_info(streams::DEAD).await.unwrap();
        until(async || stream.get_raw_message(1).await.is_ok()).await;
        let message = stream.get_raw_message(1).await.unwrap();
        let reason = message.headers.get(streams::DEAD_REASON_HEADER).unwrap();
        (reason.to_string(), message.payload.to_vec())
    }
}

async fn next(consumer: &PullConsumer) -> async_nats::jetstream::Message {
    let mut batch = consumer
        .batch()
        .max_messages(1)
        .expires(LIMIT)
        .messages()
        .await
        .unwrap();
    batch.next().await.expect("a message within the limit").unwrap()
}

/// Waits until the condition holds.
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

/// A report for handlers that succeed.
pub(crate) fn report() -> Map<String, Value> {
    json!({ "answer": 42 }).as_object().unwrap().clone()
}
