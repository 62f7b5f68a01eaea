//! `Idempotency-Key` and digests: repeated requests, and damaged bodies.

use crate::harness::{Rig, until};
use futures_util::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::{collections::HashSet, io::Write};

const QUERY: &str = r#"?filename=a.mp4&options={"stages":["scale"]}"#;

async fn send(rig: &Rig, query: &str, body: &[u8], headers: &[(&str, &str)]) -> Response {
    let url = format!("{}{query}", rig.jobs_url());
    let mut request = rig.http.post(url).header("content-type", "video/mp4");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_vec()).send().await.unwrap()
}

/// Status, problem code, job id, and whether the response was replayed.
async fn read(answer: Response) -> (u16, String, String, bool) {
    let (status, replayed) = (
        answer.status().as_u16(),
        answer.headers().contains_key("idempotent-replayed"),
    );
    let body: Value = answer.json().await.unwrap();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("id"), replayed)
}

#[tokio::test]
async fn the_same_request_makes_one_job_and_another_with_its_key_none() {
    let rig = Rig::new().await;
    let key = ("idempotency-key", "\"upload-1\"");
    let (status, _, id, replayed) = read(send(&rig, QUERY, b"bytes", &[key]).await).await;
    assert_eq!((status, replayed), (202, false));
    // Some clients send the key without quotes.
    let again = send(&rig, QUERY, b"bytes", &[("idempotency-key", "upload-1")]).await;
    assert_eq!(again.headers()["location"], format!("/api/v1/jobs/{id}"));
    assert_eq!(read(again).await, (202, String::new(), id.clone(), true));
    let other_options = r#"?filename=a.mp4&options={"stages":["detect"]}"#;
    for (query, body) in [
        (QUERY, &b"other"[..]),
        (other_options, b"bytes"),
        ("?filename=b.mp4", b"bytes"),
    ] {
        let (status, code, ..) = read(send(&rig, query, body, &[key]).await).await;
        assert_eq!((status, code.as_str()), (422, "idempotency_key_reused"));
    }
    let (status, code, ..) = read(send(&rig, QUERY, b"bytes", &[("idempotency-key", "\"")]).await).await;
    assert_eq!((status, code.as_str()), (400, "invalid_request"));
    assert_eq!(rig.list("").await.len(), 1);
    assert_eq!(rig.store.list("uploads/").await.unwrap().len(), 1);
    // A late repetition does not create a deleted job again.
    rig.post(&id, "cancel").await;
    let url = format!("{}/{id}", rig.jobs_url());
    assert_eq!(
        rig.http.delete(url).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(read(send(&rig, QUERY, b"bytes", &[key]).await).await.0, 404);
}

#[tokio::test]
async fn requests_with_one_key_at_the_same_time_make_one_job() {
    let rig = Rig::new().await;
    let body = vec![7; 6_000_000];
    let key = [("idempotency-key", "\"at-once\"")];
    let answers = join_all((0..8).map(|_| async { read(send(&rig, QUERY, &body, &key).await).await })).await;
    let made: HashSet<_> = answers
        .iter()
        .filter(|answer| answer.0 == 202)
        .map(|answer| &answer.2)
        .collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    for (status, code, _, replayed) in answers.iter().filter(|answer| answer.0 != 202) {
        assert_eq!(
            (*status, code.as_str(), *replayed),
            (409, "idempotency_conflict", false)
        );
    }
    assert_eq!(
        answers
            .iter()
            .filter(|answer| answer.0 == 202 && !answer.3)
            .count(),
        1
    );
    assert_eq!(rig.list("").await.len(), 1);
}

#[tokio::test]
async fn a_key_is_free_again_when_its_upload_came_to_nothing() {
    let mut rig = Rig::new().await;
    let key = ("idempotency-key", "\"again\"");
    // The client closes the connection.
    let begun = |rig: &Rig| {
        let mut client = std::net::TcpStream::connect(rig.url.trim_start_matches("http://")).unwrap();
        let head = "POST /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: video/mp4\r\nidempotency-key: \"again\"\r\ncontent-length: 9\r\n\r\nbyt";
        client.write_all(head.as_bytes()).unwrap();
        client
    };
    let client = begun(&rig);
    until(async || rig.list("").await.len() == 1).await;
    assert_eq!(
        read(send(&rig, QUERY, b"bytes", &[key]).await).await.1,
        "idempotency_conflict"
    );
    drop(client);
    until(async || send(&rig, QUERY, b"", &[key]).await.status() == StatusCode::BAD_REQUEST).await;
    // The process dies.
    until(async || rig.store.open_multiparts("uploads/").await.unwrap().is_empty()).await;
    let before = rig.list("").await.len();
    let _client = begun(&rig);
    until(async || rig.list("").await.len() == before + 1).await;
    rig.kill_api();
    rig.start_api().await;
    assert_eq!(read(send(&rig, QUERY, b"bytes", &[key]).await).await.0, 409);
    until(async || send(&rig, QUERY, b"bytes", &[key]).await.status() == StatusCode::ACCEPTED).await;
    assert!(read(send(&rig, QUERY, b"bytes", &[key]).await).await.3);
}

#[tokio::test]
async fn a_body_that_is_not_what_was_announced_is_not_kept() {
    let rig = Rig::new().await;
    // The SHA-256 of "hello".
    let good = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
    let old = "SHA-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    for header in [("repr-digest", good), ("content-digest", good), ("digest", old)] {
        assert_eq!(
            read(send(&rig, QUERY, b"hello", &[header]).await).await.0,
            202,
            "{header:?}"
        );
        let (status, code, ..) = read(send(&rig, QUERY, b"hellO", &[header]).await).await;
        assert_eq!((status, code.as_str()), (422, "digest_mismatch"), "{header:?}");
    }
    assert_eq!(
        read(send(&rig, QUERY, b"hello", &[("repr-digest", "md5=:YWJj:")]).await)
            .await
            .0,
        202
    );
    assert_eq!(
        read(send(&rig, QUERY, b"hello", &[("repr-digest", "sha-256=x")]).await)
            .await
            .0,
        400
    );
    // The digest of a form covers the whole form.
    let form = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp4\"\r\n\r\nhello\r\n--b--\r\nand an epilogue";
    let of_form = "sha-256=:DDDLwcwWdIEf8wSkKwmSgibMPRoGBxRUGxpviL5dEqk=:";
    for (digest, status) in [(of_form, 202), (good, 422)] {
        let request = rig
            .http
            .post(rig.jobs_url())
            .header("content-type", "multipart/form-data; boundary=b");
        let answer = request
            .header("content-digest", digest)
            .body(form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{}", answer.text().await.unwrap());
    }
    // Refused uploads leave nothing behind.
    until(async || rig.store.list("uploads/").await.unwrap().len() == 5).await;
    until(async || rig.store.open_multiparts("uploads/").await.unwrap().is_empty()).await;
    let failed = rig.list("?status=failed").await;
    assert_eq!(
        failed[0]["stages"]["scale"]["error"]["code"],
        json!("source_missing")
    );
}
