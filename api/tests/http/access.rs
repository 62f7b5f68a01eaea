//! Access control: every route with every scope, with another tenant's key, with a wrong key and without a key.

use crate::harness::{Guarded, Rig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;
use vidp_contract::Stage;

/// The scope that each route requires; `None` is open. A route of the document that is missing here fails the test.
const ROUTES: &[(&str, &str, Option<&str>)] = &[
    ("GET", "/health", None),
    ("GET", "/ready", None),
    ("GET", "/metrics", None),
    ("GET", "/api/v1/processing/health", None),
    ("GET", "/openapi.json", None),
    ("GET", "/docs", None),
    ("GET", "/docs/openapi-explorer.js", None),
    ("GET", "/api/v1/jobs", Some("jobs:read")),
    ("GET", "/api/v1/jobs/{id}", Some("jobs:read")),
    ("GET", "/api/v1/jobs/{id}/events", Some("jobs:read")),
    ("GET", "/api/v1/events", Some("jobs:read")),
    ("GET", "/api/v1/jobs/{id}/outputs", Some("jobs:read")),
    (
        "GET",
        "/api/v1/jobs/{id}/outputs/{stage}/{name}",
        Some("jobs:read"),
    ),
    ("GET", "/api/v1/webhooks", Some("jobs:read")),
    ("GET", "/api/v1/webhooks/{id}", Some("jobs:read")),
    ("GET", "/api/v1/webhooks/{id}/deliveries", Some("jobs:read")),
    ("GET", "/api/v1/processing/supported-languages", Some("jobs:read")),
    ("GET", "/api/v1/processing/{kind}", Some("jobs:read")),
    ("GET", "/api/v1/processing/{kind}/{id}", Some("jobs:read")),
    (
        "GET",
        "/api/v1/jobs/{id}/outputs/{stage}/{name}/link",
        Some("jobs:read"),
    ),
    ("POST", "/api/v1/jobs", Some("jobs:write")),
    ("POST", "/api/v1/processing/{kind}", Some("jobs:write")),
    ("DELETE", "/api/v1/jobs/{id}", Some("jobs:write")),
    ("PATCH", "/api/v1/jobs/{id}", Some("jobs:write")),
    ("POST", "/api/v1/jobs/{id}/cancel", Some("jobs:write")),
    ("POST", "/api/v1/jobs/{id}/retry", Some("jobs:write")),
    ("POST", "/api/v1/webhooks", Some("jobs:write")),
    ("DELETE", "/api/v1/webhooks/{id}", Some("jobs:write")),
    ("PATCH", "/api/v1/webhooks/{id}", Some("jobs:write")),
    ("POST", "/api/v1/webhooks/{id}/rotate", Some("jobs:write")),
    (
        "POST",
        "/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay",
        Some("jobs:write"),
    ),
    ("POST", "/api/v1/batches", Some("jobs:write")),
    ("POST", "/api/v1/uploads", Some("jobs:write")),
    ("GET", "/api/v1/uploads/{id}", Some("jobs:read")),
    ("DELETE", "/api/v1/uploads/{id}", Some("jobs:write")),
    ("POST", "/api/v1/uploads/{id}/complete", Some("jobs:write")),
    ("GET", "/api/v1/batches/{id}", Some("jobs:read")),
    ("POST", "/api/v1/batches/{id}/cancel", Some("jobs:write")),
    ("POST", "/api/v1/batches/{id}/retry", Some("jobs:write")),
    ("OPTIONS", "/files", None),
    ("POST", "/files", Some("jobs:write")),
    ("HEAD", "/files/{id}", Some("jobs:write")),
    ("PATCH", "/files/{id}", Some("jobs:write")),
    ("DELETE", "/files/{id}", Some("jobs:write")),
    ("POST", "/files/{id}", Some("jobs:write")),
    ("GET", "/api/v1/keys", Some("admin")),
    ("POST", "/api/v1/keys", Some("admin")),
    ("GET", "/api/v1/keys/{id}", Some("admin")),
    ("DELETE", "/api/v1/keys/{id}", Some("admin")),
    ("POST", "/api/v1/keys/{id}/rotate", Some("admin")),
    ("GET", "/api/v1/dead-letters", Some("admin")),
    ("GET", "/api/v1/dead-letters/{id}", Some("admin")),
    ("DELETE", "/api/v1/dead-letters/{id}", Some("admin")),
    ("POST", "/api/v1/dead-letters/{id}/redrive", Some("admin")),
];
const SCOPES: [&str; 3] = ["jobs:read", "jobs:write", "admin"];

#[test]
fn every_route_has_its_row() {
    let document: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |it| (path, it)))
        .map(|(path, (method, operation))| {
            let scope = operation["security"][0]["key"][0].as_str();
            (method.to_uppercase(), path.clone(), scope.map(str::to_owned))
        })
        .collect();
    let rows: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, scope)| ((*method).to_owned(), (*path).to_owned(), scope.map(str::to_owned)))
        .collect();
    assert_eq!(described, rows);
}

async fn ask(
    rig: &Rig,
    method: &str,
    path: &str,
    id: &str,
    key: Option<&str>,
) -> (StatusCode, String, Value) {
    let path = path
        .replace("{id}", id)
        .replace("{stage}", "scale")
        .replace("{name}", "out.bin")
        .replace("{delivery_id}", id)
        .replace("{kind}", "compression");
    let method: Method = method.parse().unwrap();
    let is_head = method == Method::HEAD;
    let mut request = rig.http.request(method, format!("{}{path}", rig.url));
    // A tus request without the protocol's version is refused before its key is checked.
    request = request.header("tus-resumable", "1.0.0");
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge.map_or("", |value| value.to_str().unwrap()).to_owned();
    let status = answer.status();
    if answer
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind == "text/event-stream")
    {
        return (status, challenge, Value::Null); // An event stream does not end.
    }
    let text = answer.text().await.unwrap();
    // The response to HEAD has no body, so the status and the challenge must suffice.
    let body = match (is_head, status.as_u16()) {
        (true, 401) => json!({ "code": "unauthenticated" }),
        (true, 403) => json!({ "code": "insufficient_scope" }),
        (true, 404) => json!({ "code": "not_found" }),
        _ => serde_json::from_str(&text).unwrap_or_default(),
    };
    (status, challenge, body)
}

#[tokio::test]
async fn every_route_lets_in_its_scope_and_its_tenant_alone() {
    let unlimited = ("VIDP_FAILED_KEYS_PER_MINUTE", "0".to_owned());
    let rig = Guarded::with(&[unlimited]).await;
    let all = rig.key("mine", &["jobs:read", "jobs:write"]).await;
    let stranger = rig.key("theirs", &["jobs:read", "jobs:write"]).await;
    let mut single = Vec::new();
    for scope in SCOPES {
        single.push((scope, rig.key("mine", &[scope]).await));
    }
    let rig = rig.rig.with_key(&all);
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap().to_owned();
    let task = rig.pull(Stage::Scale).await;
    rig.succeed(&task, json!({})).await;
    let before = rig.until_job(&id, |job| job["status"] == "succeeded").await;
    let rig = rig.without_key();

    let nobodys = format!("vidp_{}_{}", Uuid::now_v7().simple(), "0".repeat(48));
    let none = Uuid::now_v7().to_string();
    for (method, path, needed) in ROUTES {
        let said = async |id: &str, key: Option<&str>| {
            let answer = ask(&rig, method, path, id, key).await;
            println!(
                "{method} {path} {needed:?} {key:?}: {} {}",
                answer.0, answer.2["code"]
            );
            answer
        };
        let Some(needed) = needed else {
            assert!(said(&id, None).await.0.is_success());
            continue;
        };
        for wrong in [
            None,
            Some(nobodys.as_str()),
            Some("vidp_"),
            Some(&all[..all.len() - 1]),
        ] {
            let (status, challenge, body) = said(&id, wrong).await;
            assert_eq!(
                (status, challenge.as_str(), &body["code"]),
                (
                    StatusCode::UNAUTHORIZED,
                    "Bearer realm=\"vidp\"",
                    &json!("unauthenticated")
                )
            );
        }
        for (scope, key) in &single {
            if scope == needed {
                // The job or key does not exist, so that an allowed request does not change what later ones see.
                let (status, challenge, _) = said(&none, Some(key)).await;
                assert!(challenge.is_empty() && !status.is_server_error(), "{status}");
                continue;
            }
            let (status, challenge, body) = said(&id, Some(key)).await;
            assert_eq!(
                (status, &body["code"]),
                (StatusCode::FORBIDDEN, &json!("insufficient_scope"))
            );
            assert!(challenge.contains(&format!("scope=\"{needed}\"")), "{challenge}");
        }
        let (status, _, body) = said(&id, Some(&stranger)).await;
        match (*needed, path.contains("{id}"), *method) {
            ("admin", ..) => assert_eq!(status, StatusCode::FORBIDDEN),
            (_, true, _) => assert_eq!(
                (status, &body["code"]),
                (StatusCode::NOT_FOUND, &json!("not_found"))
            ),
            // Not specific to a tenant.
            _ if ["/api/v1/events", "/api/v1/processing/supported-languages"].contains(path) => {
                assert_eq!(status, StatusCode::OK);
            }
            (_, false, "GET") => assert_eq!((status, &body["data"]), (StatusCode::OK, &json!([]))),
            _ => assert!(status.is_client_error(), "{status}"),
        }
    }
    let rig = rig.with_key(&all);
    assert_eq!(rig.job(&id).await, before);
}
