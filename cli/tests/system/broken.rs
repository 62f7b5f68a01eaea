//! The command line behind a network that breaks.

use crate::{
    media::sample,
    stack::{shared, vidp},
};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Copies `limit` bytes at most, or all.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, limit: u64) {
    let mut from = (&mut from).take(limit);
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

/// A way to the server that breaks once, when this many bytes have gone up or down one connection.
async fn breaking(server: &str, up: u64, down: u64) -> String {
    let server = server.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let whole = AtomicBool::new(true);
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            let (up, down) = match whole.swap(false, Ordering::Relaxed) {
                true => (up, down),
                false => (u64::MAX, u64::MAX),
            };
            tokio::spawn(async move {
                let (from_client, to_client) = client.split();
                let (from_server, to_server) = server.split();
                // The first that ends takes the connection with it.
                tokio::select! {
                    () = copy(from_client, to_server, up) => {}
                    () = copy(from_server, to_client, down) => {}
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn an_upload_that_breaks_is_sent_again() {
    let stack = shared();
    let way = breaking(&stack.url, 500_000, u64::MAX).await;
    let mut submit = tokio::process::Command::from(vidp());
    submit
        .args([
            "submit",
            "--wait",
            "--json",
            "--stages=scale",
            "--renditions=144p",
            "--server",
            &way,
        ])
        .arg(sample("clip.mp4"));
    let done = submit.output().await.unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    assert!(said.contains("is sent again"), "{said}");
    let job: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(job["status"], "succeeded");
}

#[tokio::test]
async fn events_go_on_where_the_connection_broke() {
    let stack = shared();
    let options = serde_json::json!({ "stages": ["scale"], "scale": { "renditions": ["240p", "144p"] } });
    let job = stack.submit(&sample("clip.mp4"), "clip.mp4", &options).await;
    // In the middle of an early event.
    let way = breaking(&stack.url, u64::MAX, 1500).await;
    let mut follow = tokio::process::Command::from(vidp());
    follow.args(["events", job["id"].as_str().unwrap(), "--json", "--server", &way]);
    let done = follow.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout);
    let events: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = |event: &Value| event["id"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(
        events.windows(2).all(|pair| id(&pair[0]) < id(&pair[1])),
        "none twice: {said}"
    );
    assert_eq!(events.last().unwrap()["data"]["status"], "succeeded");
}
