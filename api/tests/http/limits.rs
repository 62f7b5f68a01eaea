//! Limits of one client, and the header fields that report them to browsers.

use crate::harness::{Guarded, LIMIT, Rig, until};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use vidp_contract::Stage;

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_key_has_its_requests_a_minute_and_bad_keys_have_theirs() {
    let rig = Guarded::with(&[
        ("VIDP_REQUESTS_PER_MINUTE", "5".to_owned()),
        ("VIDP_FAILED_KEYS_PER_MINUTE", "3".to_owned()),
        ("VIDP_TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
    ])
    .await;
    let (key, other) = (
        rig.key("a", &["jobs:read"]).await,
        rig.key("a", &["jobs:read"]).await,
    );
    let ask = async |key: &str, address: &str| {
        let request = rig.rig.http.get(format!("{}/api/v1/jobs", rig.rig.url));
        let request = request.bearer_auth(key).header("x-forwarded-for", address);
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.json::<Value>().await.unwrap())
    };
    for remaining in (0..5).rev() {
        let (status, headers, _) = ask(&key, "198.51.100.1").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(text(&headers, "ratelimit-policy"), "\"requests\";q=5;w=60");
        let said = text(&headers, "ratelimit");
        assert!(
            said.starts_with(&format!("\"requests\";r={remaining};t=")),
            "{said}"
        );
    }
    let (status, headers, problem) = ask(&key, "198.51.100.1").await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_requests"))
    );
    let seconds: u64 = text(&headers, "retry-after").parse().unwrap();
    assert!((1..=12).contains(&seconds), "{seconds}");
    assert_eq!(ask(&other, "198.51.100.1").await.0, StatusCode::OK);

    let bad = format!("vidp_{}_{}", "0".repeat(32), "0".repeat(48));
    for _ in 0..3 {
        assert_eq!(ask(&bad, "198.51.100.2").await.0, StatusCode::UNAUTHORIZED);
    }
    let (status, _, problem) = ask(&bad, "198.51.100.2").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    // Neither another address nor a valid key from the same address is affected.
    assert_eq!(ask(&bad, "198.51.100.3").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&other, "198.51.100.2").await.0, StatusCode::OK);
}

/// Begins an upload whose body never ends.
async fn begin_upload(rig: &Rig, key: &str) -> TcpStream {
    let address: SocketAddr = rig.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nhost: vidp\r\nauthorization: Bearer {key}\r\ncontent-type: video/mp4\r\n\
         content-length: 1000000\r\n\r\n0123456789"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_tenant_has_so_many_uploads_at_once_and_so_much_waiting() {
    let rig = Guarded::with(&[
        ("VIDP_UPLOADS_PER_TENANT", "2".to_owned()),
        ("VIDP_OPEN_JOBS_PER_TENANT", "12".to_owned()),
    ])
    .await;
    let both = ["jobs:read", "jobs:write"];
    let (mine, theirs) = (rig.key("mine", &both).await, rig.key("theirs", &both).await);
    let rig = rig.rig;
    let upload = async |key: &str| {
        let request = rig.http.post(format!("{}/api/v1/jobs", rig.url)).bearer_auth(key);
        let request = request.header("content-type", "video/mp4").body("a film");
        let answer = request.send().await.unwrap();
        (
            answer.status(),
            answer.json::<Value>().await.unwrap()["code"].clone(),
        )
    };
    let streams = [begin_upload(&rig, &mine).await, begin_upload(&rig, &mine).await];
    let uploading = async || {
        let request = rig.http.get(format!("{}/api/v1/jobs?status=uploading", rig.url));
        let list: Value = request
            .bearer_auth(&mine)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        list["data"].as_array().unwrap().len()
    };
    until(async || uploading().await == 2).await;
    assert_eq!(
        upload(&mine).await,
        (StatusCode::TOO_MANY_REQUESTS, json!("too_many_uploads"))
    );
    assert_eq!(upload(&theirs).await.0, StatusCode::ACCEPTED);
    drop(streams);
    until(async || upload(&mine).await.0 == StatusCode::ACCEPTED).await;
    until(async || upload(&mine).await == (StatusCode::TOO_MANY_REQUESTS, json!("quota_exceeded"))).await;
    assert_eq!(upload(&theirs).await.0, StatusCode::ACCEPTED);
}

/// Sends a GET request and returns its connection, which is not read.
async fn begin_get(url: &str, key: &str, path: &str) -> TcpStream {
    let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: vidp\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads the status of an answer.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.unwrap();
    std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
}

/// Opens event streams, and returns those that were accepted.
async fn open_streams(url: &str, key: &str, count: usize) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        let mut stream = begin_get(url, key, "/api/v1/events").await;
        if status(&mut stream).await == 200 {
            open.push(stream);
        }
    }
    open
}

#[tokio::test]
async fn a_client_cannot_hold_every_connection_and_the_probes_answer() {
    let rig = Guarded::with(&[
        ("VIDP_MAX_CONNECTIONS", "20".to_owned()),
        ("VIDP_STREAMS_PER_KEY", "5".to_owned()),
        ("VIDP_STREAMS_PER_TENANT", "7".to_owned()),
    ])
    .await;
    let both = ["jobs:read", "jobs:write"];
    let (mine, second) = (rig.key("mine", &both).await, rig.key("mine", &both).await);
    let theirs = rig.key("theirs", &both).await;
    let rig = rig.rig.with_key(&mine);
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let job = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let get = async |key: &str, path: &str| {
        let request = rig.http.get(format!("{}{path}", rig.url)).bearer_auth(key);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        // The answer to an accepted stream does not end.
        let problem: Value = match status {
            200 => Value::Null,
            _ => answer.json().await.unwrap(),
        };
        (status, problem["code"].clone())
    };
    // The change stream must be open before a client can follow it.
    until(async || get(&mine, "/api/v1/events").await.0 == 200).await;
    let open = async |key: &str, count| open_streams(&rig.url, key, count).await;
    let mut held = Vec::new();
    until_len(&mut held, 5, async || open(&mine, 1).await).await;
    let refused = (429, json!("too_many_streams"));
    for path in [
        "/api/v1/events".to_owned(),
        format!("{job}/events"),
        format!("{job}?wait=30"),
    ] {
        assert_eq!(get(&mine, &path).await, refused, "{path}");
    }
    // A request that ends at once is no stream.
    assert_eq!(get(&mine, &job).await.0, 200);
    // The tenant's other key shares the tenant's limit, and another tenant has its own.
    assert_eq!(open(&second, 4).await.len(), 2);
    assert_eq!(open(&theirs, 2).await.len(), 2);
    let health = format!("{}/health", rig.url);
    assert_eq!(rig.http.get(&health).send().await.unwrap().status(), 200);
    held.pop();
    until(async || open(&mine, 1).await.len() == 1).await;

    // Connections without a request: clients wait, and the probes do not.
    let address: SocketAddr = rig.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut idle = Vec::new();
    for _ in 0..30 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let fresh = reqwest::Client::new();
    for path in ["/health", "/ready", "/metrics"] {
        let probe = fresh.get(format!("{}{path}", rig.probes));
        let answer = timeout(Duration::from_secs(5), probe.send()).await.unwrap();
        assert_eq!(answer.unwrap().status(), 200, "{path}");
    }
    let metrics = format!("{}/metrics", rig.url);
    drop((idle, held));
    assert_eq!(fresh.get(metrics).send().await.unwrap().status(), 404);
}

/// Adds streams until there are `count`: a permit returns a moment after its connection was closed.
async fn until_len(held: &mut Vec<TcpStream>, count: usize, open: impl AsyncFn() -> Vec<TcpStream>) {
    let fill = async {
        while held.len() < count {
            held.extend(open().await);
        }
    };
    timeout(LIMIT, fill).await.expect("the streams open in time");
}

#[tokio::test]
async fn a_reader_that_stops_is_closed() {
    let rig = Guarded::with(&[
        ("VIDP_WRITE_TIMEOUT_SECONDS", "3".to_owned()),
        ("VIDP_STREAMS_PER_KEY", "1".to_owned()),
    ])
    .await;
    let key = rig.key("mine", &["jobs:read", "jobs:write"]).await;
    let rig = rig.rig.with_key(&key);
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let task = rig.pull(Stage::Scale).await;
    // More than the buffers of both sockets hold.
    rig.succeed_with(&task, json!({}), &vec![0; 32 << 20]).await;
    rig.until_job(id, |job| job["status"] == "succeeded").await;
    let path = format!("/api/v1/jobs/{id}/outputs/scale/720p.mp4");
    let mut stalled = begin_get(&rig.url, &key, &path).await;
    assert_eq!(status(&mut stalled).await, 200);
    let download = async || {
        let request = rig.http.get(format!("{}{path}", rig.url));
        request.send().await.unwrap()
    };
    assert_eq!(download().await.status(), 429);
    // The permit returns when the API gives up the stalled connection.
    until(async || download().await.status() == 200).await;
    // A client that reads receives everything.
    let body = async || match download().await {
        answer if answer.status() == 200 => answer.bytes().await.unwrap().len(),
        _ => 0,
    };
    until(async || body().await == 32 << 20).await;
}

#[tokio::test]
async fn browsers_are_told_what_they_may_do() {
    let rig = Rig::with(&[("VIDP_CORS_ORIGINS", "https://app.example.com".to_owned())]).await;
    let preflight = async |rig: &Rig, origin: &str| {
        let request = rig
            .http
            .request(Method::OPTIONS, format!("{}/api/v1/jobs", rig.url));
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,idempotency-key");
        request.send().await.unwrap().headers().clone()
    };
    let allowed = preflight(&rig, "https://app.example.com").await;
    assert_eq!(
        text(&allowed, "access-control-allow-origin"),
        "https://app.example.com"
    );
    assert_eq!(
        text(&allowed, "access-control-allow-headers"),
        "authorization,idempotency-key"
    );
    let refused = preflight(&rig, "https://evil.example").await;
    assert_eq!(text(&refused, "access-control-allow-origin"), "");

    let closed = Rig::new().await;
    let refused = preflight(&closed, "https://app.example.com").await;
    assert_eq!(text(&refused, "access-control-allow-origin"), "");
    let answer = closed.http.get(format!("{}/api/v1/jobs", closed.url));
    let headers = answer.send().await.unwrap().headers().clone();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(text(&headers, name), value);
    }
    assert!(text(&headers, "content-security-policy").contains("default-src 'none'"));
}
