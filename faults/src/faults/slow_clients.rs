//! Clients that take their time.

use super::Scene;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet, time::sleep};

/// Connections that never end their request's head, and some that send a body at 1 KiB a second.
const HEADS: usize = 500;
const BODIES: usize = 20;
/// A machine that is busy with the load has pauses of its own.
const NOISE: Duration = Duration::from_millis(100);

pub(super) async fn loris(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.rig.stack.url.trim_start_matches("http://").to_owned();
    let before = slowest_but_one_in_a_hundred(scene).await?;
    let mut clients = JoinSet::new();
    for client in 0..HEADS + BODIES {
        let address = address.clone();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            let (head, piece, pause) = if client < HEADS {
                ("GET /health HTTP/1.1\r\nX-Slow: ", "a".to_owned(), 5)
            } else {
                let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\nContent-Length: 10000000\r\n\r\n";
                (head, "a".repeat(1024), 1)
            };
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(piece.as_bytes()).await?;
                sleep(Duration::from_secs(pause)).await;
            }
            #[expect(unreachable_code, reason = "says what the block gives")]
            std::io::Result::Ok(())
        });
    }
    sleep(scene.time).await;
    let during = slowest_but_one_in_a_hundred(scene).await?;
    clients.shutdown().await;
    ensure!(
        during <= 2 * before + NOISE,
        "99 of 100 answers took {before:?} at most, and {during:?} with {HEADS} slow clients"
    );
    Ok(())
}

/// p99 of 200 requests on connections of their own.
async fn slowest_but_one_in_a_hundred(scene: &Scene<'_>) -> Result<Duration> {
    let url = format!("{}/health", scene.rig.stack.url);
    let mut times = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        let answer = scene.rig.stack.http.get(&url).send().await?;
        ensure!(answer.status() == 200, "{}", answer.status());
        times.push(started.elapsed());
    }
    times.sort();
    Ok(times[197])
}
