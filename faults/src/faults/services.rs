//! Faults of VidP's own processes and of its clients.

use super::fault::Scene;
use crate::{
    media,
    proxy::Wire,
    stack::{ACK_WAIT_SECONDS, DRAIN_SECONDS, Link, READY_LIMIT},
    watch::History,
};
use anyhow::{Context, Result, ensure};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

/// Time between a load balancer's last connection to a server and the server's SIGTERM.
const DEREGISTRATION_DELAY: Duration = Duration::from_millis(500);

/// Deliveries of one task that `worker_evict` waits for. `VIDP_ATTEMPT_LIMIT` is 5.
const EVICTIONS: i64 = 8;
/// Seconds that the film takes on the slow link of `worker_evict`.
const SLOW_DOWNLOAD: usize = 60;
/// Time limit of `worker_evict`: on a busy machine each new worker takes its time.
const EVICTION_LIMIT: Duration = Duration::from_secs(300);

/// A random time between `from` and `to` milliseconds.
fn between(scene: &mut Scene<'_>, from: u64, to: u64) -> Duration {
    Duration::from_millis(scene.random.u64(from..to))
}

/// Kills random workers with SIGKILL.
pub(super) async fn worker_kill(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        sleep(between(scene, 500, 2000)).await;
        let workers = &scene.rig.stack.workers;
        workers[scene.random.usize(0..workers.len())].signal(libc::SIGKILL);
    }
    Ok(())
}

/// Stops a `scale` worker for three leases and continues it: its late attempt must not commit.
pub(super) async fn worker_freeze(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    loop {
        sleep(between(scene, 200, 900)).await;
        let workers = &scene.rig.stack.workers;
        // The other worker of the stage takes over.
        let frozen = &workers[scene.random.usize(0..2)];
        frozen.signal(libc::SIGSTOP);
        sleep(Duration::from_secs(3 * ACK_WAIT_SECONDS)).await;
        frozen.signal(libc::SIGCONT);
        if started.elapsed() >= scene.time {
            return Ok(());
        }
    }
}

/// Stops random workers with SIGTERM: each must hand its tasks over in time and exit with 0.
pub(super) async fn worker_term(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        sleep(between(scene, 300, 1500)).await;
        let worker = &scene.rig.stack.workers[scene.random.usize(0..scene.rig.stack.workers.len())];
        let signalled = Instant::now();
        let status = worker
            .stop(Duration::from_secs(DRAIN_SECONDS + 10))
            .context("the process is not running")?;
        let took = signalled.elapsed();
        worker.launch(&[])?;
        ensure!(
            status.success(),
            "{} ended with {status} after SIGTERM",
            worker.name
        );
        // The drain, then two seconds to stop the running tasks and return them, and one for a busy machine.
        ensure!(
            took < Duration::from_secs(DRAIN_SECONDS + 3),
            "{} took {took:?} to hand its tasks over",
            worker.name
        );
    }
    Ok(())
}

/// Evicts both workers of `scale` politely during a task, more often than an attempt may fail: the task must still succeed.
pub(super) async fn worker_evict(scene: &mut Scene<'_>) -> Result<()> {
    let (rig, stack) = (scene.rig, &scene.rig.stack);
    // No worker lives long enough to download the film. Notes and manifests pass quickly.
    let film = media::index_of(&rig.samples, media::FILM);
    let rate = rig.samples[film].bytes.len() / SLOW_DOWNLOAD;
    stack.wire(Link::WorkerS3, Wire::Slow(rate));
    let uploaded = scene.load.upload(rig, film).await;
    ensure!(uploaded.is_some(), "the film was refused");
    let started = Instant::now();
    let mut evicted = 0;
    while evicted < EVICTIONS {
        let open = |history: &&History| history.end.is_none();
        let latest = rig
            .watch
            .jobs()
            .values()
            .filter(open)
            .map(History::max_attempt)
            .max();
        if latest.unwrap_or(0) <= evicted {
            ensure!(
                started.elapsed() < EVICTION_LIMIT,
                "a task was handed over only {evicted} times within {EVICTION_LIMIT:?}"
            );
            sleep(Duration::from_millis(100)).await;
            continue;
        }
        evicted = latest.unwrap_or(0);
        for worker in &stack.workers[..2] {
            let status = worker
                .stop(Duration::from_secs(10))
                .context("the process is not running")?;
            ensure!(status.success(), "{} ended with {status}", worker.name);
        }
        for worker in &stack.workers[..2] {
            worker.launch(&[("VIDP_DRAIN_SECONDS", "0")])?;
            // Before that, SIGTERM would kill it.
            worker.until_ready(READY_LIMIT).await?;
        }
    }
    Ok(())
}

/// Kills the API with SIGKILL and restarts it, repeatedly.
pub(super) async fn api_kill(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        sleep(between(scene, 300, 1200)).await;
        scene.rig.stack.api.signal(libc::SIGKILL);
        scene.rig.stack.restart_crashed()?;
        scene.rig.stack.until_ready(READY_LIMIT).await?;
    }
    Ok(())
}

/// Kills the API at several points of an upload. The final check for garbage finds any part that stays behind.
pub(super) async fn api_kill_upload(scene: &mut Scene<'_>) -> Result<()> {
    for percent in [0, 25, 50, 75, 99] {
        let mut upload = RawUpload::start(scene).await?;
        upload.send_to(percent).await?;
        sleep(between(scene, 0, 60)).await;
        scene.rig.stack.api.signal(libc::SIGKILL);
        scene.rig.stack.restart_crashed()?;
        scene.rig.stack.until_ready(READY_LIMIT).await?;
    }
    Ok(())
}

/// Slows one task down to ten leases; it must be delivered only once.
pub(super) async fn long_task(scene: &mut Scene<'_>) -> Result<()> {
    let (rig, leases) = (scene.rig, 10 * ACK_WAIT_SECONDS);
    let id = scene
        .load
        .upload(rig, 0)
        .await
        .context("the upload was refused")?;
    let rate = rig.samples[0].bytes.len() / usize::try_from(leases)?;
    rig.stack.wire(Link::WorkerS3, Wire::Slow(rate));
    let started = Instant::now();
    while !rig.watch.has_ended(&id) {
        ensure!(
            started.elapsed() < 3 * Duration::from_secs(leases),
            "the job did not end within {} s",
            3 * leases
        );
        sleep(Duration::from_millis(200)).await;
        if started.elapsed() > Duration::from_secs(leases) {
            rig.stack.open_all_wires();
        }
    }
    let attempts = rig.watch.jobs().get(&id).map_or(0, History::max_attempt);
    ensure!(attempts == 1, "the task was started {attempts} times");
    Ok(())
}

/// Replaces every service and restarts the broker and MongoDB during uploads; no upload may be refused.
///
/// The object store is not restarted: a single one is unavailable for longer than a request's retries.
pub(super) async fn rolling(scene: &mut Scene<'_>) -> Result<()> {
    let (started, stack) = (Instant::now(), &scene.rig.stack);
    let before = scene.load.unanswered.load(Ordering::Relaxed);
    while started.elapsed() < scene.time {
        for (next, last) in [(&stack.spare, &stack.api), (&stack.api, &stack.spare)] {
            next.launch(&[])?;
            next.until_ready(READY_LIMIT).await?;
            // A load balancer deregisters a server a moment before the server gets SIGTERM.
            stack.front.rotate();
            sleep(DEREGISTRATION_DELAY).await;
            let status = last
                .stop(Duration::from_secs(30))
                .context("the process is not running")?;
            ensure!(status.success(), "{} ended with {status}", last.name);
        }
        for worker in &stack.workers {
            let status = worker
                .stop(Duration::from_secs(DRAIN_SECONDS + 10))
                .context("the process is not running")?;
            worker.launch(&[])?;
            ensure!(status.success(), "{} ended with {status}", worker.name);
        }
        // Each has a single member and is unavailable for a moment, which retries must bridge.
        stack.engines().nats.restart()?;
        sleep(DEREGISTRATION_DELAY).await;
        stack.engines().mongo.restart()?;
    }
    let refused = scene.load.unanswered.load(Ordering::Relaxed) - before;
    ensure!(
        refused == 0,
        "{refused} uploads were refused during a rolling restart"
    );
    Ok(())
}

/// Disconnects clients after 0, 25, 50, 75 or 100 % of a body.
pub(super) async fn client_gone(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        let mut upload = RawUpload::start(scene).await?;
        // From no bytes to all bytes; after all bytes the commit is already running.
        upload.send_to(scene.random.usize(0..=4) * 25).await?;
        sleep(between(scene, 0, 60)).await;
    }
    Ok(())
}

/// An upload whose body stops at a chosen byte.
struct RawUpload<'a> {
    stream: TcpStream,
    body: &'a [u8],
}

impl<'a> RawUpload<'a> {
    /// Connects and sends the head of the request.
    async fn start(scene: &Scene<'a>) -> Result<Self> {
        let address = scene.rig.stack.url.trim_start_matches("http://");
        let body = &scene.rig.samples[0].bytes;
        let head = format!(
            "POST /api/v1/jobs HTTP/1.1\r\nHost: {address}\r\nContent-Type: video/mp4\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        Ok(RawUpload { stream, body })
    }

    /// Sends the first `percent` of the body.
    async fn send_to(&mut self, percent: usize) -> Result<()> {
        let end = self.body.len() * percent / 100;
        Ok(self.stream.write_all(&self.body[..end]).await?)
    }
}
