//! Ranges for a child program, from a real store whose connections break.

use crate::harness::Rig;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};
use vidp_common::store::{Ranges, Store, StoreError};

const SIZE: usize = 4 << 20;
/// Bytes after which a breaking connection ends.
const PIECE: u64 = 1 << 20;

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| (at * 7 + at / 256) as u8).collect()
}

/// A rig whose store has the object `source`.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.store.put("source", content().into()).await.unwrap();
    rig
}

/// Sends one request, as ffmpeg does, and returns the status line's number and the body.
async fn request(method: &str, url: &str, range: &str) -> (u16, Vec<u8>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head =
        format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nRange: {range}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that breaks ends the body.
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer.split_off(end))
}

/// A proxy to the store of which `breaking` connections end after [`PIECE`] bytes of the response.
async fn proxy(rig: &Rig, breaking: usize) -> Store {
    let server = rig.config.s3_endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = rig.config.clone();
    config.s3_endpoint = format!("http://{}", listener.local_addr().unwrap());
    let breaking = Arc::new(AtomicUsize::new(breaking));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            let breaking = breaking.clone();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.split();
                let (from_server, mut to_server) = server.split();
                let breaks = |left: usize| left.checked_sub(1);
                let whole = breaking
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, breaks)
                    .is_err();
                let mut down = from_server.take(if whole { u64::MAX } else { PIECE });
                tokio::select! {
                    _ = copy(&mut from_client, &mut to_server) => {}
                    _ = copy(&mut down, &mut to_client) => {}
                }
            });
        }
    });
    Store::new(&config)
}

#[tokio::test]
async fn a_child_reads_ranges_of_one_object() {
    let rig = rig().await;
    let ranges = Ranges::start(&rig.store, "source", SIZE as u64).unwrap();
    assert!(
        ranges
            .url()
            .starts_with(&format!("http://127.0.0.1:{}/", ranges.port()))
    );
    assert!(request("GET", ranges.url(), "bytes=0-").await == (206, content()));
    assert_eq!(ranges.bytes_read(), SIZE as u64);
    assert!(
        request("GET", ranges.url(), "bytes=4000000-4000009").await
            == (206, content()[4_000_000..4_000_010].into())
    );
    assert_eq!(request("GET", ranges.url(), "bytes=99999999-").await.0, 416);
    assert_eq!(request("PUT", ranges.url(), "bytes=0-").await.0, 405);
    let elsewhere = format!("http://127.0.0.1:{}/source", ranges.port());
    assert_eq!(request("GET", &elsewhere, "bytes=0-").await.0, 404);
    assert_eq!(ranges.bytes_read(), SIZE as u64 + 10);
    ranges.check().unwrap();
    let port = ranges.port();
    drop(ranges);
    crate::harness::until(async || TcpStream::connect(("127.0.0.1", port)).await.is_err()).await;
}

#[tokio::test]
async fn a_cut_response_is_resumed() {
    let rig = rig().await;
    let store = proxy(&rig, 3).await;
    let ranges = Ranges::start(&store, "source", SIZE as u64).unwrap();
    assert!(request("GET", ranges.url(), "bytes=0-").await == (206, content()));
    ranges.check().unwrap();
}

/// The child may have taken the start of the object for the whole: its worker must not believe it.
#[tokio::test]
async fn a_failure_is_kept_and_no_range_follows() {
    let rig = rig().await;
    let mut config = rig.config.clone();
    config.s3_endpoint = "http://127.0.0.1:9".to_owned();
    let ranges = Ranges::start(&Store::new(&config), "source", SIZE as u64).unwrap();
    assert_eq!(request("GET", ranges.url(), "bytes=0-").await.0, 502);
    assert_eq!(request("GET", ranges.url(), "bytes=0-").await.0, 502);
    let failure = ranges.check();
    assert!(matches!(failure, Err(StoreError::Refused { .. })), "{failure:?}");

    let missing = Ranges::start(&rig.store, "nothing", 10).unwrap();
    assert_eq!(request("GET", missing.url(), "bytes=0-").await.0, 502);
    let failure = missing.check();
    assert!(matches!(failure, Err(StoreError::Missing { .. })), "{failure:?}");
}

#[tokio::test]
async fn an_object_that_is_replaced_is_not_mixed() {
    let rig = rig().await;
    let ranges = Ranges::start(&rig.store, "source", SIZE as u64).unwrap();
    assert_eq!(request("GET", ranges.url(), "bytes=0-9").await.0, 206);
    rig.store.put("source", vec![0; SIZE].into()).await.unwrap();
    assert_eq!(request("GET", ranges.url(), "bytes=10-19").await.0, 502);
    let failure = ranges.check();
    assert!(matches!(failure, Err(StoreError::Corrupt { .. })), "{failure:?}");

    let shorter = Ranges::start(&rig.store, "source", 99).unwrap();
    assert_eq!(request("GET", shorter.url(), "bytes=0-9").await.0, 502);
    let failure = shorter.check();
    assert!(matches!(failure, Err(StoreError::Corrupt { .. })), "{failure:?}");
}
