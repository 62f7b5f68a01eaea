//! Requests of web pages: a foreign page reaches no server without keys, and sends no JSON to any server.

use crate::harness::{Guarded, Rig};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// The status and the problem code of an answer.
async fn answer(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_server_without_keys_is_closed_to_foreign_pages() {
    let rig = Rig::new().await;
    let ask = |method: Method, path: &str| rig.http.request(method, format!("{}{path}", rig.url));
    // DNS rebinding: the page's own name resolves to this machine.
    let misdirected = (421, "misdirected_request".to_owned());
    for path in [
        "/",
        "/api/v1/jobs",
        "/api/v1/keys",
        "/metrics",
        "/openapi.json",
        "/files/x",
    ] {
        let rebound = ask(Method::GET, path).header("host", "evil.example");
        assert_eq!(answer(rebound).await, misdirected, "{path}");
    }
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let cancel = format!("/api/v1/jobs/{}/cancel", job["id"].as_str().unwrap());
    let foreign = (403, "cross_site".to_owned());
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(
            answer(ask(Method::POST, &cancel).header(name, value)).await,
            foreign,
            "{name}"
        );
    }
    let own = ask(Method::POST, &cancel)
        .header("origin", &rig.url)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(answer(own).await.0, 200);
    let page = ask(Method::GET, "/").header("sec-fetch-site", "cross-site");
    assert_eq!(
        answer(page).await.0,
        200,
        "a link of another page opens the own page"
    );
}

#[tokio::test]
async fn json_of_another_content_type_is_refused() {
    let rig = Guarded::new().await;
    let key = rig.key("acme", &["jobs:write", "webhooks:write", "admin"]).await;
    let hook = json!({ "url": "https://example.com/" });
    for (path, body) in [
        ("webhooks", &hook),
        ("keys", &json!({ "name": "a" })),
        ("uploads", &json!({ "filename": "a", "size": 1 })),
        ("jobs", &json!({ "source": { "url": "https://example.com/" } })),
        ("batches", &json!({ "items": [] })),
    ] {
        let url = format!("{}/api/v1/{path}", rig.rig.url);
        let refused = (415, "unsupported_content_type".to_owned());
        for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let mut request = rig.rig.http.post(&url).bearer_auth(&key).body(body.to_string());
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            assert_eq!(answer(request).await, refused, "{path} {kind}");
        }
    }
    let url = format!("{}/api/v1/webhooks", rig.rig.url);
    let request = rig.rig.http.post(&url).bearer_auth(&key);
    let request = request.header("content-type", "application/json; charset=utf-8");
    let made = request.body(hook.to_string()).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    // A body is optional here, so that an empty one needs no type.
    let made: Value = made.json().await.unwrap();
    let rotate = format!("{url}/{}/rotate", made["id"].as_str().unwrap());
    assert_eq!(answer(rig.rig.http.post(&rotate).bearer_auth(&key)).await.0, 200);
    let typed = rig.rig.http.post(&rotate).bearer_auth(&key).body("{}");
    assert_eq!(answer(typed).await.0, 415);
}
