//! Addresses of resumable uploads: with a slash at the end, and below the path of a proxy.

use crate::harness::{LIMIT, Rig, clients, node, until};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use std::process::Stdio;
use url::Url;

/// A proxy that publishes the API below `/tools/vidp`, and returns its URL with that path.
async fn proxy(target: &str) -> String {
    let state = (Client::new(), target.to_owned());
    let routes = Router::new()
        .route("/tools/vidp/{*path}", any(forward))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/tools/vidp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

async fn forward(State((http, target)): State<(Client, String)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().unwrap().as_str();
    let url = format!("{target}{}", path.strip_prefix("/tools/vidp").unwrap());
    let sent = http.request(head.method, url).headers(head.headers);
    let sent = sent.header("x-forwarded-prefix", "/tools/vidp");
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let answer = sent.body(body).send().await;
    let Ok(answer) = answer else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = answer.headers().clone();
    response.body(Body::from_stream(answer.bytes_stream())).unwrap()
}

/// Starts an upload at `endpoint`, sends its bytes to the answer's `Location`, and returns that URL.
async fn upload(rig: &Rig, endpoint: &str) -> Url {
    let tus = |method: Method, url: &str| rig.http.request(method, url).header("tus-resumable", "1.0.0");
    let begun = tus(Method::POST, endpoint)
        .header("upload-length", 10)
        .send()
        .await
        .unwrap();
    assert_eq!(begun.status(), StatusCode::CREATED, "{endpoint}");
    let location = begun.headers()["location"].to_str().unwrap();
    let url = Url::parse(endpoint).unwrap().join(location).unwrap();
    let sent = tus(Method::PATCH, url.as_str())
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", 0)
        .body("some bytes");
    assert_eq!(
        sent.send().await.unwrap().status(),
        StatusCode::NO_CONTENT,
        "{url}"
    );
    let id = url.path_segments().unwrap().next_back().unwrap().to_owned();
    until(async || {
        let job = rig
            .http
            .get(format!("{}/{id}", rig.jobs_url()))
            .send()
            .await
            .unwrap();
        job.status() == StatusCode::OK
    })
    .await;
    url
}

#[tokio::test]
async fn an_address_with_a_slash_is_the_same() {
    let rig = Rig::new().await;
    for base in ["/files", "/api/v1/files"] {
        for slash in ["", "/"] {
            let endpoint = format!("{}{base}{slash}", rig.url);
            let features = rig.http.request(Method::OPTIONS, &endpoint).send().await.unwrap();
            assert_eq!(features.status(), StatusCode::NO_CONTENT, "{endpoint}");
            assert_eq!(features.headers()["tus-version"], "1.0.0");
            let url = upload(&rig, &endpoint).await;
            assert!(url.as_str().starts_with(&format!("{}{base}/", rig.url)), "{url}");
        }
        let unversioned = rig.http.post(format!("{}{base}/", rig.url)).send().await.unwrap();
        assert_eq!(unversioned.status(), StatusCode::PRECONDITION_FAILED);
    }
}

#[tokio::test]
async fn below_the_path_of_a_proxy_locations_lead_back_through_it() {
    let rig = Rig::new().await;
    let proxy = proxy(&rig.url).await;
    for base in ["/files", "/files/", "/api/v1/files"] {
        let url = upload(&rig, &format!("{proxy}{base}")).await;
        assert!(url.as_str().starts_with(&proxy), "{url}");
    }
    let created = rig.http.post(format!("{proxy}/api/v1/jobs?filename=a.mp4"));
    let created = created
        .header("content-type", "video/mp4")
        .body("some bytes")
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), StatusCode::ACCEPTED);
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let job: Value = created.json().await.unwrap();
    assert_eq!(
        location,
        format!("/tools/vidp/api/v1/jobs/{}", job["id"].as_str().unwrap())
    );

    // A client cannot make a location lead to another host.
    for prefix in ["//evil.example", "https://evil.example", "/a/../..", "/a\\b"] {
        let request = rig
            .http
            .post(format!("{}/files", rig.url))
            .header("tus-resumable", "1.0.0");
        let request = request
            .header("upload-length", 10)
            .header("x-forwarded-prefix", prefix);
        let answer = request.send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap();
        assert!(location.starts_with("/files/"), "{prefix}: {location}");
    }
}

#[tokio::test]
async fn tus_js_client_uploads_with_a_slash_and_below_a_path() {
    let rig = Rig::new().await;
    let proxy = proxy(&rig.url).await;
    let file = rig.folder.path().join("film.mp4");
    std::fs::write(&file, b"some bytes").unwrap();
    for (endpoint, more) in [
        (format!("{}/files/", rig.url), "{}"),
        (format!("{proxy}/files"), "{}"),
        (format!("{proxy}/api/v1/files/"), r#"{"parallelUploads": 2}"#),
    ] {
        let client = node(clients("tus.cjs"))
            .arg(&endpoint)
            .arg(&file)
            .arg(more)
            .stderr(Stdio::piped())
            .output();
        let ended = tokio::time::timeout(LIMIT, client)
            .await
            .expect("the client ends")
            .unwrap();
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{endpoint}: {error}");
        let url = String::from_utf8(ended.stdout).unwrap();
        assert!(url.starts_with(endpoint.trim_end_matches('/')), "{url}");
        let id = url.trim().rsplit('/').next().unwrap().to_owned();
        rig.until_job(&id, |job| job["status"] == "queued").await;
    }
}
