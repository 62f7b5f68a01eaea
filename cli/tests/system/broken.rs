//! The command line behind a network that breaks.

use crate::{
    media::sample,
    stack::{shared, vidp},
};
use serde_json::Value;
use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::io::InspectReader;

/// Copies at most `limit` bytes.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, limit: u64) {
    let mut from = (&mut from).take(limit);
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

/// A proxy whose first connection breaks after `up` bytes to the server or `down` bytes from it. Also counts all bytes
/// to the server.
async fn breaking(server: &str, up: u64, down: u64) -> (String, Arc<AtomicU64>) {
    let server = server.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicU64::new(0));
    let counter = sent.clone();
    tokio::spawn(async move {
        let whole = AtomicBool::new(true);
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            let (up, down) = match whole.swap(false, Ordering::Relaxed) {
                true => (up, down),
                false => (u64::MAX, u64::MAX),
            };
            let counter = counter.clone();
            tokio::spawn(async move {
                let (from_client, to_client) = client.split();
                let count = |bytes: &[u8]| {
                    counter.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                };
                let from_client = InspectReader::new(from_client, count);
                let (from_server, to_server) = server.split();
                // The connection ends when either direction ends.
                tokio::select! {
                    () = copy(from_client, to_server, up) => {}
                    () = copy(from_server, to_client, down) => {}
                }
            });
        }
    });
    (url, sent)
}

#[tokio::test]
async fn an_upload_that_breaks_is_resumed() {
    let stack = shared();
    let (way, _) = breaking(&stack.url, 500_000, u64::MAX).await;
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
    let output = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{output}");
    assert!(output.contains("upload interrupted, resuming"), "{output}");
    let job: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(job["status"], "succeeded");
}

#[tokio::test]
async fn a_video_of_a_batch_is_resumed_where_the_connection_broke() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    std::fs::copy(sample("clip.mp4"), &clip).unwrap();
    let (way, sent) = breaking(&stack.url, 1_000_000, u64::MAX).await;
    let mut batch = tokio::process::Command::from(vidp());
    let args = [
        "batch",
        "--stages=scale",
        "--renditions=144p",
        "--json",
        "--server",
    ];
    batch.args(args).arg(&way).arg(folder.path());
    let done = batch.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let outcome: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(outcome["status"], "succeeded", "{outcome}");
    // The file is sent once, not one and a half times.
    let (size, sent) = (clip.metadata().unwrap().len(), sent.load(Ordering::Relaxed));
    assert!((size..size + 500_000).contains(&sent), "{sent} bytes for {size}");
}

#[tokio::test]
async fn an_upload_that_was_stopped_is_resumed_by_the_same_command() {
    let stack = shared();
    let server = stack.url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let way = format!("http://{}", listener.local_addr().unwrap());
    // Connections break after half a megabyte until the proxy is healed; from then on it counts the bytes to the
    // server.
    let (healed, passed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (heal, count) = (healed.clone(), passed.clone());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            let (healed, count) = (heal.load(Ordering::Relaxed), count.clone());
            tokio::spawn(async move {
                let (from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let mut from_client = from_client.take(if healed { u64::MAX } else { 500_000 });
                tokio::select! {
                    up = tokio::io::copy(&mut from_client, &mut to_server) => {
                        count.fetch_add(if healed { up.unwrap_or(0) } else { 0 }, Ordering::Relaxed);
                    }
                    _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                }
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let submit = || {
        let mut submit = tokio::process::Command::from(vidp());
        submit
            .args([
                "submit",
                "--json",
                "--wait",
                "--stages=scale",
                "--renditions=144p",
                "--server",
                &way,
            ])
            .arg(sample("clip.mp4"))
            .env("XDG_STATE_HOME", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        submit
    };
    let mut first = submit().spawn().unwrap();
    let mut lines = BufReader::new(first.stderr.take().unwrap()).lines();
    while !lines
        .next_line()
        .await
        .unwrap()
        .unwrap()
        .contains("upload interrupted, resuming")
    {}
    let pid = first.id().unwrap().cast_signed();
    // SAFETY: a plain system call on our own child.
    unsafe { libc::kill(pid, libc::SIGINT) };
    assert_eq!(first.wait().await.unwrap().code(), Some(130));

    healed.store(true, Ordering::Relaxed);
    let done = submit().output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let job: Value = serde_json::from_slice(&done.stdout).unwrap();
    let file = std::fs::read(sample("clip.mp4")).unwrap();
    assert_eq!(job["source"]["size"], file.len());
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&file);
    assert_eq!(job["source"]["sha256"], vidp_contract::hex(&hash));
    let sent = passed.load(Ordering::Relaxed);
    assert!(sent < file.len() as u64 - 300_000, "{sent} of {}", file.len());
    // No upload is left to resume: the same command creates another job.
    let again = submit().output().await.unwrap();
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_ne!(again["id"], job["id"]);
}

#[tokio::test]
async fn events_resume_where_the_connection_broke() {
    let stack = shared();
    let options = serde_json::json!({ "stages": ["scale"], "scale": { "renditions": ["240p", "144p"] } });
    let job = stack.submit(&sample("clip.mp4"), "clip.mp4", &options).await;
    // In the middle of an early event.
    let (way, _) = breaking(&stack.url, u64::MAX, 1500).await;
    let mut follow = tokio::process::Command::from(vidp());
    follow.args(["events", job["id"].as_str().unwrap(), "--json", "--server", &way]);
    let done = follow.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let output = String::from_utf8_lossy(&done.stdout);
    let events: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = |event: &Value| event["id"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(
        events.windows(2).all(|pair| id(&pair[0]) < id(&pair[1])),
        "no event twice: {output}"
    );
    assert_eq!(events.last().unwrap()["data"]["status"], "succeeded");
}
