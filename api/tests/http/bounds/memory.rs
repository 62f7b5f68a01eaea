//! The memory of the API process while clients send bodies that are expensive to read.

use crate::harness::{LIMIT, Rig};
use reqwest::StatusCode;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Most that one request may add to the memory of the API.
const MAX_GROWTH: u64 = 32 << 20;

#[tokio::test]
async fn a_batch_of_millions_of_numbers_is_refused_in_little_memory() {
    let rig = Rig::new().await;
    let numbers = "1,".repeat(8_000_000);
    let body = format!("{{\"items\":[{numbers}1]}}");
    let before = rig.peak_memory();
    let request = rig.http.post(format!("{}/api/v1/batches", rig.url));
    let request = request.header("content-type", "application/json").body(body);
    let answer = request.timeout(LIMIT).send().await.unwrap();
    let growth = rig.peak_memory() - before;
    assert!(growth < MAX_GROWTH, "one document took {} MB", growth >> 20);
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

/// Sends the head and the start of a chunked form, leaves the body open, and returns the status line of the answer.
async fn unfinished_form(rig: &Rig, body: &[u8]) -> String {
    let address: SocketAddr = rig.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\
                content-type: multipart/form-data; boundary=xyz\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in body.chunks(16 << 10) {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        // The API may have answered and closed the connection.
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut answer = [0; 12];
    // Shorter than the API's own patience with a silent body.
    let read = timeout(Duration::from_secs(15), stream.read_exact(&mut answer)).await;
    read.expect("an answer before the end of the body").unwrap();
    String::from_utf8(answer.to_vec()).unwrap()
}

#[tokio::test]
async fn a_form_without_the_start_of_a_part_is_refused_in_little_memory() {
    let rig = Rig::new().await;
    let before = rig.peak_memory();
    let noise = vec![b'x'; 2 << 20];
    assert_eq!(unfinished_form(&rig, &noise).await, "HTTP/1.1 400");
    let long_head = [
        b"--xyz\r\ncontent-disposition: form-data; name=\"".as_slice(),
        &noise,
    ]
    .concat();
    assert_eq!(unfinished_form(&rig, &long_head).await, "HTTP/1.1 400");
    let growth = rig.peak_memory() - before;
    assert!(growth < MAX_GROWTH, "two forms took {} MB", growth >> 20);
}
