//! The system under test as processes of this machine, with a proxy between each service and each engine.

use crate::{
    disk::Disk,
    process::Process,
    proxy::{Proxy, Wire},
};
use anyhow::{Context, Result, bail};
use clap::Parser;
use parking_lot::{Mutex, MutexGuard};
use reqwest::Client;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use vidp_common::{
    config::{NatsConfig, S3Config},
    queue::Queue,
    store::Store,
};
use vidp_contract::{Lane, Stage};
use vidp_engines::{Buckets, Mongo, Nats, S3, S3User, find_model, free_port};

/// Maximum time until a service is ready, also on a busy machine.
pub const READY_LIMIT: Duration = Duration::from_secs(60);
/// Lease of a task in seconds; short, so that lost tasks are soon redelivered.
pub const ACK_WAIT_SECONDS: u64 = 3;
/// Seconds from a job's end until the sweeper deletes the objects of its losing attempts.
pub const CLEANUP_DELAY_SECONDS: u64 = 15;
/// Seconds that a worker may finish its tasks after SIGTERM.
pub const DRAIN_SECONDS: u64 = 2;

/// The two ends of a connection that a proxy can disturb.
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
    /// All links.
    pub const ALL: [Link; 5] = [
        Link::ApiMongo,
        Link::ApiNats,
        Link::ApiS3,
        Link::WorkerNats,
        Link::WorkerS3,
    ];
}

/// The engines, which faults stop and restart.
pub struct Engines {
    /// The broker.
    pub nats: Nats,
    /// The record.
    pub mongo: Mongo,
    /// The object store.
    pub s3: S3,
}

/// The small file systems that faults fill.
pub struct Disks {
    /// The broker's store; the power cut applies to it.
    pub broker: Disk,
    /// The bucket.
    pub bucket: Disk,
    /// The temporary files of all workers.
    pub scratch: Disk,
}

/// The running system.
pub struct Stack {
    engines: Mutex<Engines>,
    /// The small disks, or the reason why this process cannot have them.
    pub disks: Result<Disks>,
    proxies: BTreeMap<Link, Proxy>,
    /// The API.
    pub api: Process,
    /// A second API behind the same address; it runs only during rolling restarts.
    pub spare: Process,
    /// The proxy that clients connect to; it forwards to an API that listens.
    pub front: Proxy,
    /// The workers: two of `scale`, and one each of `detect` and `subtitle`.
    pub workers: Vec<Process>,
    /// The URL of the API, through [`Stack::front`].
    pub url: String,
    /// The object store, without a proxy.
    pub store: Store,
    /// The broker, without a proxy.
    pub queue: Queue,
    /// The URL of MongoDB, without a proxy.
    pub mongodb: String,
    /// The HTTP client of all requests. A request times out after 30 s.
    pub http: Client,
    /// The folder of all data and logs.
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
    /// Creates the disks as sparse files, which use only the space that is written.
    fn make(dir: &Path) -> Result<Disks> {
        Ok(Disks {
            broker: Disk::create(&dir.join("nats"), 1 << 30)?,
            bucket: Disk::create(&dir.join("s3"), 32 << 30)?,
            scratch: Disk::create(&dir.join("scratch"), 4 << 30)?,
        })
    }
}

impl Stack {
    /// Starts the system in `dir` and waits until it accepts uploads.
    ///
    /// `mounts` is the result of [`crate::disk::private_mounts`]; with an error the system has no small disks.
    pub async fn start(dir: &Path, mounts: Result<()>) -> Result<Stack> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let logs = dir.join("logs");
        std::fs::create_dir_all(&logs)?;
        let disks = mounts.and_then(|()| Disks::make(dir));
        let buckets = Buckets {
            own: "vidp".to_owned(),
            sources: Vec::new(),
        };
        let engines = Engines {
            nats: Nats::start(&dir.join("nats"), 0)?,
            mongo: Mongo::start(&dir.join("mongo"), 0)?,
            s3: S3::start_for(&dir.join("s3"), 0, &dir.join("s3/weed.log"), buckets)?,
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
        let common = |nats, s3, user| {
            let key = engines.s3.key(user);
            let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            vec![
                value("VIDP_NATS_URL", &format!("nats://127.0.0.1:{}", port(nats))),
                value("VIDP_S3_ENDPOINT", &format!("http://127.0.0.1:{}", port(s3))),
                value("VIDP_S3_ACCESS_KEY", &key.access_key),
                value("VIDP_S3_SECRET_KEY", &key.secret_key),
                value("VIDP_ACK_WAIT_SECONDS", &ACK_WAIT_SECONDS.to_string()),
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
                common(Link::ApiNats, Link::ApiS3, S3User::Api),
                &[
                    ("VIDP_BIND", format!("127.0.0.1:{port}")),
                    ("VIDP_PROBE_BIND", "127.0.0.1:0".to_owned()),
                    ("VIDP_AUTH", "off".to_owned()),
                    ("VIDP_MONGODB_URL", mongo.clone()),
                    ("VIDP_SWEEP_SECONDS", "1".to_owned()),
                    ("VIDP_STALE_SECONDS", "4".to_owned()),
                    ("VIDP_TIDY_SECONDS", CLEANUP_DELAY_SECONDS.to_string()),
                    // Clients of the load abandon a resumable upload after 5 s without progress, so it may expire soon.
                    ("VIDP_DIRECT_UPLOAD_SECONDS", "45".to_owned()),
                ],
            )
        };
        let spare = Process::new("api-2", "vidp-api", &logs, api(ports[1]))?;
        let api = Process::start("api", "vidp-api", &logs, api(ports[0]))?;
        let model = |name: &str| {
            let path = find_model(name)
                .with_context(|| format!("the model {name} was not found: run `make models`"))?;
            anyhow::Ok(path.display().to_string())
        };
        let (whisper, vad) = (model("ggml-base-q8_0.bin")?, model("silero-vad.bin")?);
        let mut workers = Vec::new();
        for (name, program, role, user) in [
            ("scale-1", "worker-scale", "", S3User::Downscale),
            ("scale-2", "worker-scale", "", S3User::Downscale),
            ("detect-1", "worker-lang", "detect", S3User::Langscale),
            ("subtitle-1", "worker-lang", "subtitle", S3User::Subtitle),
        ] {
            let mut environment = with(
                common(Link::WorkerNats, Link::WorkerS3, user),
                &[
                    ("VIDP_BIND", format!("127.0.0.1:{}", free_port())),
                    ("VIDP_DRAIN_SECONDS", DRAIN_SECONDS.to_string()),
                    ("VIDP_SCRATCH_DIR", dir.join("scratch").display().to_string()),
                ],
            );
            if role.is_empty() {
                // The sample film has ten of these parts, so that both workers make some.
                environment = with(environment, &[("VIDP_PART_SECONDS", "2".to_owned())]);
            } else {
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
            // Each request has a new connection, as those of independent clients have.
            http: Client::builder()
                .timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(0)
                .build()?,
            dir: dir.to_owned(),
            engines: Mutex::new(engines),
            disks,
        };
        stack.until_ready(READY_LIMIT).await?;
        Ok(stack)
    }

    /// Waits until the API is ready and the broker returns the length of a queue.
    pub async fn until_ready(&self, limit: Duration) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < limit {
            let ready = self.http.get(format!("{}/ready", self.url)).send().await;
            if ready.is_ok_and(|answer| answer.status().is_success())
                && self.queue.depth(Stage::Scale, Lane::Batch).await.is_ok()
            {
                return Ok(());
            }
            self.restart_crashed()?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the system was not ready within {} s", limit.as_secs())
    }

    /// Restarts the services that ended unexpectedly.
    pub fn restart_crashed(&self) -> Result<()> {
        for process in self.processes() {
            process.restart_crashed()?;
        }
        Ok(())
    }

    /// All services.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.workers.iter().chain([&self.api, &self.spare])
    }

    /// Locks the engines, for a fault.
    pub fn engines(&self) -> MutexGuard<'_, Engines> {
        self.engines.lock()
    }

    /// Changes the behaviour of a link's proxy.
    pub fn wire(&self, link: Link, wire: Wire) {
        self.proxies[&link].set(wire);
    }

    /// Opens all wires again.
    pub fn open_all_wires(&self) {
        for link in Link::ALL {
            self.wire(link, Wire::Open);
        }
    }
}
