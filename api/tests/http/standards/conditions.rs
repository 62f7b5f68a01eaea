//! Conditional requests (RFC 9110, section 13).

use crate::harness::{Rig, until};
use reqwest::{Response, StatusCode, header::HeaderValue};
use serde_json::json;
use std::time::{Duration, Instant};
use vidp_contract::Stage;

/// The forms in which a client and the proxies between may send a tag that it has, each as lines of a header.
fn known(tag: &str) -> Vec<Vec<String>> {
    let tag = tag.trim_start_matches("W/");
    vec![
        vec![tag.to_owned()],
        vec![format!("W/{tag}")],
        vec![format!("\"x\", {tag}")],
        vec![format!("\"x\",W/{tag} , \"y\"")],
        vec!["\"x\"".to_owned(), tag.to_owned()],
        vec!["*".to_owned()],
    ]
}

async fn get(rig: &Rig, url: &str, name: &'static str, lines: &[impl AsRef<str>]) -> Response {
    let mut request = rig.http.get(url);
    for line in lines {
        request = request.header(name, line.as_ref());
    }
    request.send().await.unwrap()
}

fn tag_of(answer: &Response) -> String {
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_long_poll_waits_for_each_form_of_a_known_tag() {
    let rig = Rig::without_sweeper().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let scale = rig.pull(Stage::Scale).await;
    // The mark that the task was published is the last change until the worker reports.
    until(async || {
        let stored = rig.stored("jobs", None).await;
        let stages = stored[0].get_document("stages").unwrap();
        let dispatch = stages.get_document("scale").unwrap().get_document("dispatch");
        dispatch.is_ok_and(|dispatch| dispatch.get_str("state").is_ok_and(|state| state == "sent"))
    })
    .await;
    let url = format!("{}/{id}", rig.jobs_url());
    let tag = tag_of(&rig.http.get(&url).send().await.unwrap());
    for lines in known(&tag) {
        let asked = Instant::now();
        let answer = get(&rig, &format!("{url}?wait=0.4"), "if-none-match", &lines).await;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{lines:?}");
        assert!(asked.elapsed() >= Duration::from_millis(400), "{lines:?}");
        assert_eq!(tag_of(&answer), tag);
    }
    for other in ["\"x\"", "W/\"x\"", "x", "\"\""] {
        let asked = Instant::now();
        let answer = get(&rig, &format!("{url}?wait=20"), "if-none-match", &[other]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{other}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{other}");
    }
    // A weak tag of a proxy is woken by a change, like the strong one.
    let (poll, wanted) = (format!("{url}?wait=20"), [format!("W/{tag}")]);
    let changed = async {
        rig.queue.progress(&scale.progress(0.5)).await.unwrap();
    };
    let (answer, ()) = tokio::join!(get(&rig, &poll, "if-none-match", &wanted), changed);
    assert_eq!(answer.status(), StatusCode::OK);
    assert_ne!(tag_of(&answer), tag);
}

#[tokio::test]
async fn outputs_pages_and_documents_know_each_form_of_their_tags() {
    let rig = Rig::new().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let pulled = rig.pull(Stage::Scale).await;
    rig.succeed(&pulled, json!({})).await;
    rig.until_job(id, |job| job["status"] == "succeeded").await;
    let job = format!("/api/v1/jobs/{id}");
    let output = format!("{job}/outputs/scale/720p.mp4");
    for path in [
        &job,
        &output,
        "/",
        "/web/js/main.js",
        "/web/js/contract.js",
        "/docs",
        "/docs/openapi-explorer.js",
        "/openapi.json",
    ] {
        let url = format!("{}{path}", rig.url);
        let head = rig.http.head(&url).send().await.unwrap();
        let tag = tag_of(&head);
        for lines in known(&tag) {
            let answer = get(&rig, &url, "if-none-match", &lines).await;
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{path} {lines:?}");
            assert_eq!(tag_of(&answer), tag, "{path}");
            for name in ["content-security-policy", "cache-control"] {
                assert_eq!(
                    answer.headers().get(name),
                    head.headers().get(name),
                    "{path} {name}"
                );
            }
            assert_eq!(answer.bytes().await.unwrap(), "", "{path}");
        }
        let answer = get(&rig, &url, "if-none-match", &["\"x\""]).await;
        assert_eq!(
            (answer.status(), tag_of(&answer)),
            (StatusCode::OK, tag),
            "{path}"
        );
    }

    // A range is joined to the bytes that the client has, so its tag must be strong.
    let url = format!("{}{output}", rig.url);
    let tag = tag_of(&rig.http.get(&url).send().await.unwrap());
    for (condition, expected) in [
        (tag.clone(), StatusCode::PARTIAL_CONTENT),
        (format!("W/{tag}"), StatusCode::OK),
        (format!("{tag}, \"x\""), StatusCode::OK),
        ("*".to_owned(), StatusCode::OK),
        ("Sun, 29 Nov 2026 10:00:00 GMT".to_owned(), StatusCode::OK),
    ] {
        let request = rig.http.get(&url).header("range", "bytes=2-4");
        let answer = request.header("if-range", &condition).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{condition}");
    }
}

#[tokio::test]
async fn a_change_needs_a_strong_tag_of_the_current_version() {
    let rig = Rig::new().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let pulled = rig.pull(Stage::Scale).await;
    rig.succeed(&pulled, json!({})).await;
    rig.until_job(id, |job| job["status"] == "succeeded").await;
    let url = format!("{}/{id}", rig.jobs_url());
    let patch = async |condition: &[u8]| {
        let request = rig.http.patch(&url);
        let request = request.header("content-type", "application/merge-patch+json");
        let request = request.header("if-match", HeaderValue::from_bytes(condition).unwrap());
        let body = json!({ "metadata": { "a": 1 } }).to_string();
        request.body(body).send().await.unwrap().status().as_u16()
    };
    let current = async || tag_of(&rig.http.get(&url).send().await.unwrap());
    let tag = current().await;
    for condition in [
        format!("W/{tag}"),
        "\"x\"".to_owned(),
        tag.replace('"', ""),
        String::new(),
    ] {
        assert_eq!(patch(condition.as_bytes()).await, 412, "{condition}");
    }
    assert_eq!(patch(b"\"\xe9\"").await, 412);
    assert_eq!(current().await, tag);
    for form in ["{}", "\"x\", {}", "W/{}, {}", "*"] {
        let condition = form.replace("{}", &current().await);
        assert_eq!(patch(condition.as_bytes()).await, 200, "{condition}");
    }
}
