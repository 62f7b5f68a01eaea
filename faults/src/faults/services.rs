//! Faults of VidP's own processes and of its clients.

use super::Scene;
use crate::{
    proxy::Wire,
    stack::{ACK_WAIT, DRAIN, Link, READY},
    watch::History,
};
use anyhow::{Context, Result, ensure};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

/// Between the load balancer's last connection to a server and its SIGTERM.
const LEAVE: Duration = Duration::from_millis(500);

fn between(scene: &mut Scene<'_>, from: u64, to: u64) -> Duration {
    Duration::from_millis(scene.random.u64(from..to))
}

pub(super) async fn worker_kill(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        sleep(between(scene, 500, 2000)).await;
        let workers = &scene.rig.stack.workers;
        workers[scene.random.usize(0..workers.len())].signal(libc::SIGKILL);
    }
    Ok(())
}

pub(super) async fn worker_freeze(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    loop {
        sleep(between(scene, 200, 900)).await;
        let workers = &scene.rig.stack.workers;
        // The other one of this stage takes over.
        let frozen = &workers[scene.random.usize(0..2)];
        frozen.signal(libc::SIGSTOP);
        sleep(Duration::from_secs(3 * ACK_WAIT)).await;
        frozen.signal(libc::SIGCONT);
        if started.elapsed() >= scene.time {
            return Ok(());
        }
    }
}

pub(super) async fn worker_term(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        sleep(between(scene, 300, 1500)).await;
        let worker = &scene.rig.stack.workers[scene.random.usize(0..scene.rig.stack.workers.len())];
        let asked = Instant::now();
        let status = worker.stop(Duration::from_secs(DRAIN + 10)).context("it ran")?;
        let took = asked.elapsed();
        worker.launch(&[])?;
        ensure!(
            status.success(),
            "{} ended with {status} after SIGTERM",
            worker.name
        );
        // The drain, then two seconds to stop what runs and give it back, and one for a busy machine.
        ensure!(
            took < Duration::from_secs(DRAIN + 3),
            "{} took {took:?} to hand its tasks over",
            worker.name
        );
    }
    Ok(())
}

pub(super) async fn api_kill(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        sleep(between(scene, 300, 1200)).await;
        scene.rig.stack.api.signal(libc::SIGKILL);
        scene.rig.stack.revive()?;
        scene.rig.stack.until_ready(READY).await?;
    }
    Ok(())
}

/// Nothing of an upload that breaks off is kept, wherever it was.
pub(super) async fn api_kill_upload(scene: &mut Scene<'_>) -> Result<()> {
    for percent in [0, 25, 50, 75, 99] {
        let mut upload = RawUpload::start(scene).await?;
        upload.send_to(percent).await?;
        sleep(between(scene, 0, 60)).await;
        scene.rig.stack.api.signal(libc::SIGKILL);
        scene.rig.stack.revive()?;
        scene.rig.stack.until_ready(READY).await?;
    }
    Ok(())
}

/// A task that runs for ten leases is delivered once.
pub(super) async fn long_task(scene: &mut Scene<'_>) -> Result<()> {
    let (rig, leases) = (scene.rig, 10 * ACK_WAIT);
    let id = scene.load.upload(rig, 0).await.context("an upload")?;
    let rate = rig.samples[0].bytes.len() / usize::try_from(leases)?;
    rig.stack.wire(Link::WorkerS3, Wire::Slow(rate));
    let started = Instant::now();
    while !rig.watch.has_ended(&id) {
        ensure!(
            started.elapsed() < 3 * Duration::from_secs(leases),
            "it did not end"
        );
        sleep(Duration::from_millis(200)).await;
        if started.elapsed() > Duration::from_secs(leases) {
            rig.stack.mend();
        }
    }
    let attempts = rig.watch.jobs().get(&id).map_or(0, History::attempts);
    ensure!(attempts == 1, "it was begun {attempts} times");
    Ok(())
}

/// Every service is replaced, and the broker and MongoDB are restarted, while files come in: clients must not notice. The object
/// store is left out: alone, it is away for longer than a request's retries.
pub(super) async fn rolling(scene: &mut Scene<'_>) -> Result<()> {
    let (started, stack) = (Instant::now(), &scene.rig.stack);
    let before = scene.load.unanswered.load(Ordering::Relaxed);
    while started.elapsed() < scene.time {
        for (next, last) in [(&stack.spare, &stack.api), (&stack.api, &stack.spare)] {
            next.launch(&[])?;
            next.until_ready(READY).await?;
            // A load balancer takes a server out a moment before the server gets SIGTERM.
            stack.front.turn();
            sleep(LEAVE).await;
            let status = last.stop(Duration::from_secs(30)).context("it ran")?;
            ensure!(status.success(), "{} ended with {status}", last.name);
        }
        for worker in &stack.workers {
            let status = worker.stop(Duration::from_secs(DRAIN + 10)).context("it ran")?;
            worker.launch(&[])?;
            ensure!(status.success(), "{} ended with {status}", worker.name);
        }
        // Without another member each is gone for a moment, which retries must bridge.
        stack.engines().nats.restart()?;
        sleep(LEAVE).await;
        stack.engines().mongo.restart()?;
    }
    let refused = scene.load.unanswered.load(Ordering::Relaxed) - before;
    ensure!(
        refused == 0,
        "{refused} uploads were refused during a rolling restart"
    );
    Ok(())
}

pub(super) async fn client_gone(scene: &mut Scene<'_>) -> Result<()> {
    let started = Instant::now();
    while started.elapsed() < scene.time {
        let mut upload = RawUpload::start(scene).await?;
        // From nothing at all to everything, when the commit runs already.
        upload.send_to(scene.random.usize(0..=4) * 25).await?;
        sleep(between(scene, 0, 60)).await;
    }
    Ok(())
}

/// An upload whose body stops where one wants.
struct RawUpload<'a> {
    stream: TcpStream,
    body: &'a [u8],
}

impl<'a> RawUpload<'a> {
    /// Sends the head.
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

    async fn send_to(&mut self, percent: usize) -> Result<()> {
        let end = self.body.len() * percent / 100;
        Ok(self.stream.write_all(&self.body[..end]).await?)
    }
}
