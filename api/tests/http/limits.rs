//! Limits of one client, and the header fields that report them to browsers.

use crate::harness::{Guarded, Rig, until};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

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

#[tokio::test]
async fn more_connections_than_allowed_wait() {
    let rig = Rig::with(&[("VIDP_MAX_CONNECTIONS", "20".to_owned())]).await;
    let address: SocketAddr = rig.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut idle = Vec::new();
    for _ in 0..30 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let health = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /health HTTP/1.1\r\nhost: vidp\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(timeout(Duration::from_secs(1), health()).await.is_err());
    drop(idle);
    assert!(health().await.starts_with("HTTP/1.1 200"));
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
