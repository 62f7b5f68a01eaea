//! The whole system as processes of this machine, with a proxy on every wire between a service and an engine.

use crate::{
    disk::Disk,
    process::Process,
    proxy::{Proxy, Wire},
};
use anyhow::{Context, Result, bail};
use clap::Parser;
use reqwest::Client;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use vidp_common::{
    config::{NatsConfig, S3Config},
    queue::Queue,
    store::Store,
};
use vidp_contract::{Lane, Stage};
use vidp_engines::{Mongo, Nats, S3, find_model, free_port};

/// Limit for a service to become ready, also on a busy machine.
pub const READY: Duration = Duration::from_secs(60);
/// A short lease, so that lost tasks are delivered again soon. Seconds.
pub const ACK_WAIT: u64 = 3;
/// Delay after a job's end until its losing attempts' objects are deleted. Seconds.
pub const TIDY: u64 = 15;
/// Workers stop within this time of a SIGTERM. Seconds.
pub const DRAIN: u64 = 2;

/// The two ends of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// The API and its record.
    ApiMongo,
    /// The API and the broker.
    ApiNats,
    /// The API and the object store.
    ApiS3,
    /// All workers and the broker.
    WorkerNats,
    /// All workers and the object store.
    WorkerS3,
}

impl Link {
    /// Every one.
    pub const ALL: [Link; 5] = [
        Link::ApiMongo,
        Link::ApiNats,
        Link::ApiS3,
        Link::WorkerNats,
        Link::WorkerS3,
    ];
}

/// The engines, which faults stop and start.
pub struct Engines {
    /// The broker.
    pub nats: Nats,
    /// The record.
    pub mongo: Mongo,
    /// The object store.
    pub s3: S3,
}

/// The disks that can be full.
pub struct Disks {
    /// Under the broker's store; also the one whose power is cut.
    pub broker: Disk,
    /// Under the bucket.
    pub bucket: Disk,
    /// Under all workers' temporary files.
    pub scratch: Disk,
}

/// Everything that runs.
pub struct Stack {
    engines: Mutex<Engines>,
    /// The small disks, or the reason why this process cannot have them.
    pub disks: Result<Disks>,
    proxies: BTreeMap<Link, Proxy>,
    /// The API.
    pub api: Process,
    /// A second one behind the same address; it runs only in rolling restarts.
    pub spare: Process,
    /// The proxy that clients connect to; it forwards to the API that listens.
    pub front: Proxy,
    /// Two of each stage that is quick to start, one of the others.
    pub workers: Vec<Process>,
    /// The API's address.
    pub url: String,
    /// The object store, without a proxy.
    pub store: Store,
    /// The broker, without a proxy.
    pub queue: Queue,
    /// MongoDB's address, without a proxy.
    pub mongodb: String,
    /// For requests that must not take long.
    pub http: Client,
    /// Everything that it keeps.
    pub dir: PathBuf,
}

#[derive(Parser)]
struct Addresses {
    #[command(flatten)]
    nats: NatsConfig,
    #[command(flatten)]
    s3: S3Config,
}

impl Disks {
    /// Sparse: they take what is written to them.
    fn make(dir: &Path) -> Result<Disks> {
        Ok(Disks {
            broker: Disk::make(&dir.join("nats"), 1 << 30)?,
            bucket: Disk::make(&dir.join("s3"), 32 << 30)?,
            scratch: Disk::make(&dir.join("scratch"), 4 << 30)?,
        })
    }
}

impl Stack {
    /// Starts everything in `dir` and waits until it takes work. `mounts` says whether this process may have disks of
    /// its own ([`crate::disk::private_mounts`]).
    pub async fn start(dir: &Path, mounts: Result<()>) -> Result<Stack> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let logs = dir.join("logs");
        std::fs::create_dir_all(&logs)?;
        let disks = mounts.and_then(|()| Disks::make(dir));
        let engines = Engines {
            nats: Nats::start(&dir.join("nats"), 0)?,
            mongo: Mongo::start(&dir.join("mongo"), 0)?,
            s3: S3::start(&dir.join("s3"), 0)?,
        };
        let mut proxies = BTreeMap::new();
        for link in Link::ALL {
            let target = match link {
                Link::ApiMongo => engines.mongo.port(),
                Link::ApiNats | Link::WorkerNats => engines.nats.port(),
                Link::ApiS3 | Link::WorkerS3 => engines.s3.port(),
            };
            proxies.insert(link, Proxy::start(&[target]).await);
        }
        let port = |link: Link| proxies[&link].port;
        let common = |nats, s3| {
            let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            vec![
                value("VIDP_NATS_URL", &format!("nats://127.0.0.1:{}", port(nats))),
                value("VIDP_S3_ENDPOINT", &format!("http://127.0.0.1:{}", port(s3))),
                value("VIDP_S3_ACCESS_KEY", engines.s3.access_key()),
                value("VIDP_S3_SECRET_KEY", engines.s3.secret_key()),
                value("VIDP_ACK_WAIT_SECONDS", &ACK_WAIT.to_string()),
                value("VIDP_LOG_FILTER", "info,async_nats=warn,whisper_rs=warn"),
            ]
        };
        let with = |mut base: Vec<(String, String)>, more: &[(&str, String)]| {
            base.extend(
                more.iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone())),
            );
            base
        };
        let ports = [free_port(), free_port()];
        let front = Proxy::start(&ports).await;
        let mongo = format!(
            "mongodb://127.0.0.1:{}/?directConnection=true",
            port(Link::ApiMongo)
        );
        let api = |port: u16| {
            with(
                common(Link::ApiNats, Link::ApiS3),
                &[
                    ("VIDP_BIND", format!("127.0.0.1:{port}")),
                    ("VIDP_AUTH", "off".to_owned()),
                    ("VIDP_MONGODB_URL", mongo.clone()),
                    ("VIDP_SWEEP_SECONDS", "1".to_owned()),
                    ("VIDP_STALE_SECONDS", "4".to_owned()),
                    ("VIDP_TIDY_SECONDS", TIDY.to_string()),
                    // A client of the load gives a resumable upload up after five seconds without a step.
                    ("VIDP_DIRECT_UPLOAD_SECONDS", "45".to_owned()),
                ],
            )
        };
        let spare = Process::new("api-2", "vidp-api", &logs, api(ports[1]))?;
        let api = Process::start("api", "vidp-api", &logs, api(ports[0]))?;
        let model = |name: &str| {
            let path = find_model(name).with_context(|| format!("no model {name}: run `make models`"))?;
            anyhow::Ok(path.display().to_string())
        };
        let (whisper, vad) = (model("ggml-base-q8_0.bin")?, model("silero-vad.bin")?);
        let mut workers = Vec::new();
        for (name, program, role) in [
            ("scale-1", "worker-scale", ""),
            ("scale-2", "worker-scale", ""),
            ("detect-1", "worker-lang", "detect"),
            ("subtitle-1", "worker-lang", "subtitle"),
        ] {
            let mut environment = with(
                common(Link::WorkerNats, Link::WorkerS3),
                &[
                    ("VIDP_BIND", format!("127.0.0.1:{}", free_port())),
                    ("VIDP_DRAIN_SECONDS", DRAIN.to_string()),
                    ("VIDP_SCRATCH_DIR", dir.join("scratch").display().to_string()),
                ],
            );
            if !role.is_empty() {
                environment = with(
                    environment,
                    &[
                        ("VIDP_ROLE", role.to_owned()),
                        ("VIDP_WHISPER_MODEL", whisper.clone()),
                        ("VIDP_VAD_MODEL", vad.clone()),
                        ("VIDP_SPEECH_THREADS", "1".to_owned()),
                    ],
                );
            }
            workers.push(Process::start(name, program, &logs, environment)?);
        }
        let direct = Addresses::parse_from([
            "faults".to_owned(),
            format!("--nats-url={}", engines.nats.url()),
            format!("--s3-endpoint={}", engines.s3.endpoint()),
            format!("--s3-access-key={}", engines.s3.access_key()),
            format!("--s3-secret-key={}", engines.s3.secret_key()),
        ]);
        let stack = Stack {
            proxies,
            api,
            spare,
            workers,
            url: format!("http://127.0.0.1:{}", front.port),
            front,
            store: Store::new(&direct.s3),
            queue: Queue::connect(&direct.nats, "faults").await?,
            mongodb: engines.mongo.url(),
            // A connection of its own for each request, as strangers have.
            http: Client::builder()
                .timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(0)
                .build()?,
            dir: dir.to_owned(),
            engines: Mutex::new(engines),
            disks,
        };
        stack.until_ready(READY).await?;
        Ok(stack)
    }

    /// Waits until the API takes uploads and the queues can be read.
    pub async fn until_ready(&self, limit: Duration) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < limit {
            let ready = self.http.get(format!("{}/ready", self.url)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success())
                && self.queue.depth(Stage::Scale, Lane::Batch).await.is_ok()
            {
                return Ok(());
            }
            self.revive()?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the system was not ready within {} s", limit.as_secs())
    }

    /// Starts again what has ended by itself.
    pub fn revive(&self) -> Result<()> {
        for process in self.processes() {
            process.revive()?;
        }
        Ok(())
    }

    /// The services.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.workers.iter().chain([&self.api, &self.spare])
    }

    /// The engines, for a fault.
    pub fn engines(&self) -> MutexGuard<'_, Engines> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a wire does from now on.
    pub fn wire(&self, link: Link, wire: Wire) {
        self.proxies[&link].set(wire);
    }

    /// Every wire is whole again.
    pub fn mend(&self) {
        for link in Link::ALL {
            self.wire(link, Wire::Open);
        }
    }
}
