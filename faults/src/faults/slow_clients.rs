//! Clients that send their requests very slowly.

use super::fault::Scene;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet, time::sleep};

/// Connections that never complete the head of their request.
const HEAD_CLIENTS: usize = 500;
/// Connections that send a body at 1 KiB/s.
const BODY_CLIENTS: usize = 20;
/// Tolerance for pauses of a machine that is busy with the load.
const JITTER: Duration = Duration::from_millis(100);

/// Opens the slow connections: the p99 of other requests must at most double, plus [`JITTER`].
pub(super) async fn slow_clients(scene: &mut Scene<'_>) -> Result<()> {
    let address = scene.rig.stack.url.trim_start_matches("http://").to_owned();
    let before = health_p99(scene).await?;
    let mut clients = JoinSet::new();
    for client in 0..HEAD_CLIENTS + BODY_CLIENTS {
        let address = address.clone();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            let (head, piece, pause) = if client < HEAD_CLIENTS {
                ("GET /health HTTP/1.1\r\nX-Slow: ", "a".to_owned(), 5)
            } else {
                let head = "POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 10000000\r\n\r\n";
                (head, "a".repeat(1024), 1)
            };
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(piece.as_bytes()).await?;
                sleep(Duration::from_secs(pause)).await;
            }
            #[expect(unreachable_code, reason = "declares the type that the block returns")]
            std::io::Result::Ok(())
        });
    }
    sleep(scene.time).await;
    let during = health_p99(scene).await?;
    clients.shutdown().await;
    ensure!(
        during <= 2 * before + JITTER,
        "the p99 of /health is {before:?}, and {during:?} with {HEAD_CLIENTS} slow clients"
    );
    Ok(())
}

/// p99 of the response time of 200 requests, each on a new connection.
async fn health_p99(scene: &Scene<'_>) -> Result<Duration> {
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
