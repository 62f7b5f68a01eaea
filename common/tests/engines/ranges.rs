//! Ranges for a child program, from a real store whose connections break.

use crate::harness::Rig;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};
use vidp_common::store::{Blocks, Ranges, Store, StoreError};

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

/// The fault of a connection through a proxy, after [`PIECE`] bytes of the response.
#[derive(Clone, Copy)]
enum Fault {
    /// Ends it.
    Cut,
    /// Changes a bit.
    Flip,
}

/// Passes a response on with the fault.
async fn fail(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, fault: Fault) {
    let (mut passed, mut buffer) = (0, [0; 1 << 16]);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if (passed..passed + read as u64).contains(&PIECE) {
            match fault {
                Fault::Cut => return,
                Fault::Flip => buffer[(PIECE - passed) as usize] ^= 1,
            }
        }
        passed += read as u64;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// A proxy to the store with a fault in the first `faulty` connections.
async fn proxy(rig: &Rig, faulty: usize, fault: Fault) -> Store {
    let server = rig.config.s3_endpoint.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = rig.config.clone();
    config.s3_endpoint = format!("http://{}", listener.local_addr().unwrap());
    let faulty = Arc::new(AtomicUsize::new(faulty));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            let faulty = faulty.clone();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let fails = |left: usize| left.checked_sub(1);
                let is_faulty = faulty
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails)
                    .is_ok();
                let down = async {
                    match is_faulty {
                        true => fail(from_server, to_client, fault).await,
                        false => drop(copy(&mut from_server, &mut to_client).await),
                    }
                };
                tokio::select! {
                    _ = copy(&mut from_client, &mut to_server) => {}
                    () = down => {}
                }
            });
        }
    });
    Store::new(&config)
}

#[tokio::test]
async fn a_child_reads_ranges_of_one_object() {
    let rig = rig().await;
    let ranges = Ranges::start(&rig.store, "source", SIZE as u64, None).unwrap();
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
    let store = proxy(&rig, 3, Fault::Cut).await;
    let ranges = Ranges::start(&store, "source", SIZE as u64, None).unwrap();
    assert!(request("GET", ranges.url(), "bytes=0-").await == (206, content()));
    ranges.check().unwrap();
}

/// The child may have taken the start of the object for the whole: its worker must not believe it.
#[tokio::test]
async fn a_failure_is_kept_and_no_range_follows() {
    let rig = rig().await;
    let mut config = rig.config.clone();
    config.s3_endpoint = "http://127.0.0.1:9".to_owned();
    let ranges = Ranges::start(&Store::new(&config), "source", SIZE as u64, None).unwrap();
    assert_eq!(request("GET", ranges.url(), "bytes=0-").await.0, 502);
    assert_eq!(request("GET", ranges.url(), "bytes=0-").await.0, 502);
    let failure = ranges.check();
    assert!(matches!(failure, Err(StoreError::Refused { .. })), "{failure:?}");

    let missing = Ranges::start(&rig.store, "nothing", 10, None).unwrap();
    assert_eq!(request("GET", missing.url(), "bytes=0-").await.0, 502);
    let failure = missing.check();
    assert!(matches!(failure, Err(StoreError::Missing { .. })), "{failure:?}");
}

#[tokio::test]
async fn an_object_that_is_replaced_is_not_mixed() {
    let rig = rig().await;
    let ranges = Ranges::start(&rig.store, "source", SIZE as u64, None).unwrap();
    assert_eq!(request("GET", ranges.url(), "bytes=0-9").await.0, 206);
    rig.store.put("source", vec![0; SIZE].into()).await.unwrap();
    assert_eq!(request("GET", ranges.url(), "bytes=10-19").await.0, 502);
    let failure = ranges.check();
    assert!(matches!(failure, Err(StoreError::Corrupt { .. })), "{failure:?}");

    let shorter = Ranges::start(&rig.store, "source", 99, None).unwrap();
    assert_eq!(request("GET", shorter.url(), "bytes=0-9").await.0, 502);
    let failure = shorter.check();
    assert!(matches!(failure, Err(StoreError::Corrupt { .. })), "{failure:?}");
}

/// The blocks of the content, and a file to read them from.
fn blocks() -> Blocks {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content()).unwrap();
    let blocks = Blocks::of_file(file.path()).unwrap();
    assert!(blocks.fit(SIZE as u64) && !blocks.fit(SIZE as u64 + 1));
    let stored = serde_json::to_vec(&blocks).unwrap();
    serde_json::from_slice(&stored).unwrap()
}

#[tokio::test]
async fn ranges_with_hashes_are_the_same_bytes() {
    let rig = rig().await;
    let store = proxy(&rig, 2, Fault::Flip).await;
    let ranges = Ranges::start(&store, "source", SIZE as u64, Some(blocks())).unwrap();
    let (block, last) = (256 << 10, SIZE - 1);
    for (first, end) in [
        (0, SIZE),
        (0, 1),
        (last, SIZE),
        (block - 1, block + 1),
        (block, 2 * block),
        (5, 3 * block + 7),
        (3_000_000, SIZE),
    ] {
        let range = format!("bytes={first}-{}", end - 1);
        let (status, body) = request("GET", ranges.url(), &range).await;
        assert!(status == 206 && body == content()[first..end], "{range}");
    }
    ranges.check().unwrap();
    let before = ranges.bytes_read();
    request("GET", ranges.url(), "bytes=1000000-1000009").await;
    assert_eq!(ranges.bytes_read() - before, block as u64, "one block is read");
}

/// A bit that has changed in the store or on the way reaches no child.
#[tokio::test]
async fn a_block_that_differs_is_not_passed_on() {
    let rig = rig().await;
    let mut changed = content();
    changed[3_000_000] ^= 1;
    rig.store.put("source", changed.into()).await.unwrap();
    let ranges = Ranges::start(&rig.store, "source", SIZE as u64, Some(blocks())).unwrap();
    assert!(request("GET", ranges.url(), "bytes=0-99").await == (206, content()[..100].into()));
    ranges.check().unwrap();
    let (_, body) = request("GET", ranges.url(), "bytes=0-").await;
    let good = 3_000_000 / (256 << 10) * (256 << 10);
    assert!(body == content()[..good], "{} bytes", body.len());
    let failure = ranges.check();
    assert!(matches!(failure, Err(StoreError::Refused { .. })), "{failure:?}");
}
