//! Clients that upload one file after the other, and record every accepted job.

mod resumable;

use crate::{
    media::{self, Sample},
    stack::Stack,
    watch::Watch,
};
use parking_lot::Mutex;
use reqwest::multipart;
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Number of clients that upload at the same time.
const CLIENTS: u64 = 3;

/// An upload that got a 202.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The job's id.
    pub id: String,
    /// Index of the uploaded sample.
    pub sample: usize,
    /// Time of the answer.
    pub at: Instant,
}

/// The clients and the answers that they got.
#[derive(Default)]
pub struct Load {
    accepted: Mutex<Vec<Accepted>>,
    /// Requests answered with 5xx or without an answer; they may or may not have taken effect.
    pub unanswered: AtomicU32,
    /// Requests that hung until the client timed out.
    pub hung: AtomicU32,
    stop: AtomicBool,
    /// Clients upload nothing while it is true.
    paused: AtomicBool,
    /// Minimum time between the starts of two uploads of one client.
    pause: Duration,
}

/// The system under test, its history and the files to upload.
pub struct Rig {
    /// The system.
    pub stack: Stack,
    /// The history of each job.
    pub watch: Watch,
    /// The files to upload.
    pub samples: Vec<Sample>,
}

impl Load {
    /// Clients that together upload at most `rate` files per second; `None` is unlimited.
    pub fn with_rate(rate: Option<f64>) -> Load {
        Load {
            pause: rate.map_or(Duration::ZERO, |rate| {
                Duration::from_secs_f64(CLIENTS as f64 / rate)
            }),
            ..Load::default()
        }
    }

    /// The jobs accepted so far.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.accepted.lock().clone()
    }

    /// Number of accepted jobs that have not ended.
    pub fn open_jobs(&self, rig: &Rig) -> usize {
        let jobs = rig.watch.jobs();
        let accepted = self.accepted.lock();
        let ended = |job: &&Accepted| jobs.get(&job.id).is_some_and(|history| history.end.is_some());
        accepted.len() - accepted.iter().filter(ended).count()
    }

    /// Uploads one file and returns the job's id if it was accepted.
    pub async fn upload(&self, rig: &Rig, sample: usize) -> Option<String> {
        let stack = &rig.stack;
        let Sample { bytes, options, .. } = &rig.samples[sample];
        let file = multipart::Part::bytes(bytes.clone()).file_name("clip.mp4");
        let form = multipart::Form::new()
            .text("options", options.to_string())
            .part("file", file);
        let sent = stack
            .http
            .post(format!("{}/api/v1/jobs", stack.url))
            .multipart(form)
            .send()
            .await;
        let answer = match sent {
            Ok(answer) if answer.status() == 202 => answer.json::<Value>().await.ok(),
            Err(error) if error.is_timeout() => {
                self.hung.fetch_add(1, Ordering::Relaxed);
                None
            }
            _ => None,
        };
        let Some(id) = answer.and_then(|job| job["id"].as_str().map(str::to_owned)) else {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        self.record_accepted(&id, sample);
        Some(id)
    }

    fn record_accepted(&self, id: &str, sample: usize) {
        let accepted = Accepted {
            id: id.to_owned(),
            sample,
            at: Instant::now(),
        };
        self.accepted.lock().push(accepted);
    }

    /// Makes the clients pause, or continue.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Starts clients that upload until [`Load::stop`].
    ///
    /// Each waits while more than `backlog` jobs are open, so that the load follows the speed of the machine.
    pub fn start(self: &Arc<Self>, rig: &Arc<Rig>, backlog: usize, seed: u64) -> JoinSet<()> {
        let mut set = JoinSet::new();
        for client in 0..CLIENTS {
            let (load, rig) = (self.clone(), rig.clone());
            let mut random = fastrand::Rng::with_seed(seed ^ (client << 32));
            set.spawn(async move {
                while !load.stop.load(Ordering::Relaxed) {
                    if load.paused.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                    let begun = Instant::now();
                    let sample = media::pick(&rig.samples, &mut random);
                    // One upload in four uses tus.
                    let done = match random.u8(..) < 64 {
                        true => load.upload_resumably(&rig, sample).await,
                        false => load.upload(&rig, sample).await,
                    };
                    if done.is_none() {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    while !load.stop.load(Ordering::Relaxed)
                        && (load.open_jobs(&rig) > backlog || begun.elapsed() < load.pause)
                    {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            });
        }
        set
    }

    /// Stops the clients, and waits until their last uploads have ended.
    pub async fn stop(&self, clients: JoinSet<()>) {
        self.stop.store(true, Ordering::Relaxed);
        clients.join_all().await;
    }
}
