use crate::harness::{Rig, until};
use reqwest::{Body, StatusCode, multipart};
use serde_json::{Value, json};
use std::io::Write;
use vidp_common::store::Multipart;
use vidp_contract::{Stage, keys};

/// 6 MB: more than one part.
fn bytes() -> Vec<u8> {
    (0..6_000_000_u32).map(|i| (i / 7 % 251) as u8).collect()
}

fn id(job: &Value) -> uuid::Uuid {
    job["id"].as_str().unwrap().parse().unwrap()
}

async fn check_source(rig: &Rig, job: &Value, bytes: &[u8]) {
    assert_eq!(job["source"]["size"], bytes.len());
    let back = rig.folder.path().join("back");
    let sha256 = job["source"]["sha256"].as_str().unwrap();
    rig.store
        .download(&keys::source(id(job)), &back, bytes.len() as u64, sha256)
        .await
        .unwrap();
    assert_eq!(std::fs::read(back).unwrap(), bytes);
}

#[tokio::test]
async fn every_way_to_upload_makes_a_job() {
    let rig = Rig::new().await;
    let options = json!({ "stages": ["scale"], "external_id": "film-7", "metadata": { "a": [1, "b"] } });

    let answer = rig.post_form(&options, bytes()).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let job: Value = answer.json().await.unwrap();
    assert_eq!(location, format!("/api/v1/jobs/{}", job["id"].as_str().unwrap()));
    assert_eq!(
        (&job["status"], &job["lane"]),
        (&json!("queued"), &json!("interactive"))
    );
    assert_eq!(
        (&job["external_id"], &job["metadata"]),
        (&json!("film-7"), &json!({ "a": [1, "b"] }))
    );
    assert_eq!(job["source"]["filename"], "clip.mp4");
    check_source(&rig, &job, &bytes()).await;
    let task = rig.pull(Stage::Scale).await.task;
    assert_eq!((task.job_id, task.source.size), (id(&job), 6_000_000));

    // The form may contain the file before the options.
    let file = multipart::Part::bytes(b"abc".to_vec()).file_name("../../é \"x\" 🎬.mp4");
    let form = multipart::Form::new()
        .part("file", file)
        .text("options", options.to_string());
    let answer = rig
        .http
        .post(rig.jobs_url())
        .multipart(form)
        .send()
        .await
        .unwrap();
    let job: Value = answer.json().await.unwrap();
    assert_eq!(job["status"], "queued", "{job}");
    assert_eq!(job["stages"].as_object().unwrap().len(), 1);
    let name = job["source"]["filename"].as_str().unwrap();
    assert!(name.ends_with("🎬.mp4") && !name.contains('/'), "{name}");

    // The body is the video; no length is sent.
    let pieces = futures_util::stream::iter(
        bytes()
            .chunks(100_000)
            .map(|c| Ok::<_, String>(c.to_vec()))
            .collect::<Vec<_>>(),
    );
    let query = [
        ("options", options.to_string()),
        ("filename", "..\\a/raw\r\n.webm".to_owned()),
    ];
    let request = rig
        .http
        .post(rig.jobs_url())
        .query(&query)
        .header("content-type", "video/webm");
    let answer = request.body(Body::wrap_stream(pieces)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let job: Value = answer.json().await.unwrap();
    assert_eq!(
        (&job["source"]["filename"], &job["source"]["content_type"]),
        (&json!("raw.webm"), &json!("video/webm"))
    );
    check_source(&rig, &job, &bytes()).await;
}

#[tokio::test]
async fn bad_requests_get_clear_problems_and_leave_nothing() {
    let rig = Rig::new().await;
    let post = |kind: &'static str, body: Vec<u8>| {
        rig.http
            .post(rig.jobs_url())
            .header("content-type", kind)
            .body(body)
            .send()
    };
    let large = vec![0_u8; 12_000_001];
    let streamed = Body::wrap_stream(futures_util::stream::iter([Ok::<_, String>(large.clone())]));
    let streamed = rig
        .http
        .post(rig.jobs_url())
        .header("content-type", "video/mp4")
        .body(streamed)
        .send();
    let no_file = multipart::Form::new().text("options", "{}");
    let no_file = rig.http.post(rig.jobs_url()).multipart(no_file).send();
    let strange = multipart::Form::new().text("video", "x");
    let strange = rig.http.post(rig.jobs_url()).multipart(strange).send();
    let late = multipart::Form::new()
        .part("file", multipart::Part::bytes(b"abc".to_vec()))
        .text("options", r#"{"stages":["nothing"]}"#);
    let late = rig.http.post(rig.jobs_url()).multipart(late).send();
    for (answer, status, code) in [
        (post("video/mp4", vec![]).await, 400, "unsupported_media"),
        (post("video/mp4", large.clone()).await, 413, "upload_too_large"),
        (streamed.await, 413, "upload_too_large"),
        (
            post("text/html", b"x".to_vec()).await,
            415,
            "unsupported_content_type",
        ),
        (
            post("multipart/form-data", b"x".to_vec()).await,
            400,
            "invalid_request",
        ),
        (no_file.await, 400, "invalid_request"),
        (strange.await, 400, "invalid_request"),
        (late.await, 400, "invalid_request"),
        (
            Ok(rig.post_form(&json!({ "crf": 1 }), b"x".to_vec()).await),
            400,
            "invalid_request",
        ),
        (
            rig.http.get(format!("{}/nothing", rig.jobs_url())).send().await,
            404,
            "not_found",
        ),
        (
            rig.http.put(rig.jobs_url()).send().await,
            405,
            "method_not_allowed",
        ),
        (
            rig.http.get(format!("{}/nothing", rig.url)).send().await,
            404,
            "not_found",
        ),
        (
            rig.http.get(format!("{}?limit=0", rig.jobs_url())).send().await,
            400,
            "invalid_request",
        ),
        (
            rig.http
                .get(format!("{}?status=odd", rig.jobs_url()))
                .send()
                .await,
            400,
            "invalid_request",
        ),
    ] {
        let answer = answer.unwrap();
        assert_eq!(
            answer.headers()["content-type"],
            "application/problem+json",
            "{code}"
        );
        let request_id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let found = answer.status().as_u16();
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(
            (found, problem["code"].as_str().unwrap()),
            (status, code),
            "{problem}"
        );
        assert_eq!(
            (&problem["status"], &problem["request_id"]),
            (&json!(status), &json!(request_id))
        );
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    until(async || rig.store.list("uploads/").await.unwrap().is_empty()).await;
    until(async || rig.store.open_multiparts("uploads/").await.unwrap().is_empty()).await;
    until(async || rig.list("?status=uploading").await.is_empty()).await;
}

/// Begins an upload of 10 MB, and sends 6 MB.
fn begin(rig: &Rig) -> std::net::TcpStream {
    let mut client = std::net::TcpStream::connect(rig.url.trim_start_matches("http://")).unwrap();
    client
        .write_all(b"POST /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: video/mp4\r\ncontent-length: 10000000\r\n\r\n")
        .unwrap();
    client.write_all(&bytes()).unwrap();
    client
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_no_trace_in_the_store() {
    let rig = Rig::new().await;
    let client = begin(&rig);
    until(async || rig.list("?status=uploading").await.len() == 1).await;
    until(async || rig.store.open_multiparts("uploads/").await.unwrap().len() == 1).await;
    drop(client);
    until(async || rig.list("?status=failed").await.len() == 1).await;
    until(async || rig.store.open_multiparts("uploads/").await.unwrap().is_empty()).await;
    assert!(rig.store.list("uploads/").await.unwrap().is_empty());
    let job = &rig.list("?status=failed").await[0];
    assert_eq!(job["stages"]["detect"]["error"]["code"], "source_missing");
}

#[tokio::test]
async fn an_upload_whose_api_was_killed_is_cleared_by_the_next() {
    // An upload counts as silent after twice this time. The restart must be faster.
    let mut rig = Rig::with(&[("VIDP_STALE_SECONDS", "8".to_owned())]).await;
    let _client = begin(&rig);
    until(async || rig.store.open_multiparts("uploads/").await.unwrap().len() == 1).await;
    rig.kill_api();
    rig.start_api().await;
    assert_eq!(rig.list("?status=uploading").await.len(), 1);
    until(async || rig.list("?status=failed").await.len() == 1).await;
    until(async || rig.store.open_multiparts("uploads/").await.unwrap().is_empty()).await;
    assert!(rig.store.list("uploads/").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_that_was_opened_twice_is_cleared_away() {
    let rig = Rig::with(&[("VIDP_TIDY_SECONDS", "1".to_owned())]).await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let key = keys::source(id.parse().unwrap());
    // When the response that opened a multipart upload is lost, the API does not know the upload.
    let opened = Multipart::start(&rig.store, &key, "video/mp4", 1000)
        .await
        .unwrap();
    std::mem::forget(opened);
    assert_eq!(rig.store.open_multiparts(&key).await.unwrap().len(), 1);
    let pulled = rig.pull(Stage::Scale).await;
    rig.succeed(&pulled, json!({})).await;
    until(async || rig.store.open_multiparts(&key).await.unwrap().is_empty()).await;
    assert_eq!(rig.store.read(&key).await.unwrap().unwrap(), b"some bytes");
}
