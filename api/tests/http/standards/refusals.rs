//! Refusals of requests with a large body, as clients read them that do not wait for `100 Continue`.

use crate::harness::{Guarded, LIMIT, Rig};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Bytes of the body: more than the buffers of both ends hold.
const BODY: usize = 20_000_000;

/// Sends a request with the complete body, then reads the answer as blocking clients do. Returns status and code.
async fn send(rig: &Rig, head: &str) -> (u16, String) {
    let address: SocketAddr = rig.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{head}\r\nhost: {address}\r\ncontent-length: {BODY}\r\n\r\n");
    let exchange = async {
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..BODY / 100_000 {
            stream
                .write_all(&[b'a'; 100_000])
                .await
                .expect("the server reads on");
        }
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .await
            .expect("the answer is not lost to a reset");
        String::from_utf8(answer).unwrap()
    };
    let answer = timeout(LIMIT, exchange).await.expect("an answer in time");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_client_that_sends_a_large_body_first_reads_why_it_is_refused() {
    let rig = Guarded::with(&[
        ("VIDP_REQUESTS_PER_MINUTE", "4".to_owned()),
        ("VIDP_FAILED_KEYS_PER_MINUTE", "20".to_owned()),
    ])
    .await;
    let reader = rig.key("a", &["jobs:read"]).await;
    let writer = rig.key("b", &["jobs:write"]).await;
    let other = rig.key("c", &["jobs:write"]).await;
    let rig = &rig.rig;
    let post = |key: &str, path: &str| {
        format!("POST {path} HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: video/mp4")
    };
    let check = async |head: String, status: u16, code: &str| {
        assert_eq!(send(rig, &head).await, (status, code.to_owned()), "{head}");
    };
    let bad = format!("vidp_{}_{}", "0".repeat(32), "0".repeat(48));
    for path in ["/api/v1/jobs", "/files", "/api/v1/uploads", "/api/v1/batches"] {
        check(post(&bad, path), 401, "unauthenticated").await;
    }
    check(post(&reader, "/api/v1/jobs"), 403, "insufficient_scope").await;
    check(post(&other, "/api/v1/jobs"), 413, "upload_too_large").await;
    check(post(&other, "/nowhere"), 404, "not_found").await;
    check(post(&writer, "/files"), 412, "unsupported_version").await;
    check(post(&writer, "/api/v1/keys"), 403, "insufficient_scope").await;
    for _ in 0..2 {
        check(post(&writer, "/api/v1/jobs"), 413, "upload_too_large").await;
    }
    check(post(&writer, "/api/v1/jobs"), 429, "too_many_requests").await;
}
