//! Access control: every route with every scope, with another tenant's key, with a wrong key and without a key.

use crate::harness::{Guarded, LIMIT, Rig, until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;
use vidp_contract::Stage;

/// Scopes that may upload.
const CREATE: &[&str] = &["jobs:write", "jobs:create"];
/// The scopes of which each route requires one; without any it is open. A route of the document that is missing here fails
/// the test.
const ROUTES: &[(&str, &str, &[&str])] = &[
    ("GET", "/health", &[]),
    ("GET", "/ready", &[]),
    ("GET", "/api/v1/processing/health", &[]),
    ("GET", "/openapi.json", &[]),
    ("GET", "/docs", &[]),
    ("GET", "/docs/openapi-explorer.js", &[]),
    ("GET", "/api/v1/jobs", &["jobs:read"]),
    ("GET", "/api/v1/jobs/{id}", &["jobs:read"]),
    ("GET", "/api/v1/jobs/{id}/events", &["jobs:read"]),
    ("GET", "/api/v1/events", &["jobs:read"]),
    ("GET", "/api/v1/jobs/{id}/outputs", &["jobs:read"]),
    ("GET", "/api/v1/jobs/{id}/outputs/{stage}/{name}", &["jobs:read"]),
    ("GET", "/api/v1/webhooks", &["webhooks:read"]),
    ("GET", "/api/v1/webhooks/{id}", &["webhooks:read"]),
    ("GET", "/api/v1/webhooks/{id}/deliveries", &["webhooks:read"]),
    ("GET", "/api/v1/processing/supported-languages", &["jobs:read"]),
    ("GET", "/api/v1/processing/{kind}", &["jobs:read"]),
    ("GET", "/api/v1/processing/{kind}/{id}", &["jobs:read"]),
    (
        "GET",
        "/api/v1/jobs/{id}/outputs/{stage}/{name}/link",
        &["jobs:read"],
    ),
    ("GET", "/api/v1/play/{grant}/{file}", &[]),
    ("POST", "/api/v1/jobs/{id}/playback", &["jobs:read"]),
    ("DELETE", "/api/v1/jobs/{id}/playback", &["jobs:write"]),
    ("POST", "/api/v1/jobs", CREATE),
    ("POST", "/api/v1/processing/{kind}", CREATE),
    ("DELETE", "/api/v1/jobs/{id}", &["jobs:write"]),
    ("PATCH", "/api/v1/jobs/{id}", &["jobs:write"]),
    ("POST", "/api/v1/jobs/{id}/cancel", &["jobs:write"]),
    ("POST", "/api/v1/jobs/{id}/retry", &["jobs:write"]),
    ("POST", "/api/v1/webhooks", &["webhooks:write"]),
    ("DELETE", "/api/v1/webhooks/{id}", &["webhooks:write"]),
    ("PATCH", "/api/v1/webhooks/{id}", &["webhooks:write"]),
    ("POST", "/api/v1/webhooks/{id}/rotate", &["webhooks:write"]),
    (
        "POST",
        "/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay",
        &["webhooks:write"],
    ),
    ("POST", "/api/v1/batches", &["jobs:write"]),
    ("POST", "/api/v1/uploads", &["jobs:write"]),
    ("GET", "/api/v1/uploads/{id}", &["jobs:write"]),
    ("DELETE", "/api/v1/uploads/{id}", &["jobs:write"]),
    ("POST", "/api/v1/uploads/{id}/complete", &["jobs:write"]),
    ("GET", "/api/v1/batches/{id}", &["jobs:read"]),
    ("POST", "/api/v1/batches/{id}/cancel", &["jobs:write"]),
    ("POST", "/api/v1/batches/{id}/retry", &["jobs:write"]),
    ("OPTIONS", "/api/v1/files", &[]),
    ("POST", "/api/v1/files", CREATE),
    ("HEAD", "/api/v1/files/{id}", CREATE),
    ("PATCH", "/api/v1/files/{id}", CREATE),
    ("DELETE", "/api/v1/files/{id}", CREATE),
    ("POST", "/api/v1/files/{id}", CREATE),
    ("GET", "/api/v1/keys", &["admin"]),
    ("POST", "/api/v1/keys", &["admin"]),
    ("GET", "/api/v1/keys/{id}", &["admin"]),
    ("DELETE", "/api/v1/keys/{id}", &["admin"]),
    ("POST", "/api/v1/keys/{id}/rotate", &["admin"]),
    ("GET", "/api/v1/dead-letters", &["admin"]),
    ("GET", "/api/v1/dead-letters/{id}", &["admin"]),
    ("DELETE", "/api/v1/dead-letters/{id}", &["admin"]),
    ("POST", "/api/v1/dead-letters/{id}/redrive", &["admin"]),
];
const SCOPES: [&str; 6] = [
    "jobs:read",
    "jobs:write",
    "jobs:create",
    "webhooks:read",
    "webhooks:write",
    "admin",
];
/// The scopes of a tenant's own server.
const ALL: [&str; 4] = ["jobs:read", "jobs:write", "webhooks:read", "webhooks:write"];

#[test]
fn every_route_has_its_row() {
    let document: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |it| (path, it)))
        .map(|(path, (method, operation))| {
            let keys = operation["security"].as_array().into_iter().flatten();
            let scopes = keys.map(|key| key["key"][0].as_str().unwrap().to_owned());
            (method.to_uppercase(), path.clone(), scopes.collect::<Vec<_>>())
        })
        .collect();
    let owned = |scopes: &[&str]| scopes.iter().map(|&scope| scope.to_owned()).collect();
    let rows: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, scopes)| ((*method).to_owned(), (*path).to_owned(), owned(scopes)))
        .collect();
    assert_eq!(described, rows);
}

/// Ids for the paths: one object of each kind.
#[derive(Clone, Debug)]
struct Ids {
    job: String,
    webhook: String,
    delivery: String,
    batch: String,
    upload: String,
    file: String,
    part: String,
}

impl Ids {
    /// Ids of nothing.
    fn none() -> Ids {
        let [job, webhook, delivery, batch, upload, file, part] =
            std::array::from_fn(|_| Uuid::now_v7().to_string());
        Ids {
            job,
            webhook,
            delivery,
            batch,
            upload,
            file,
            part,
        }
    }

    /// Creates an object of each kind with the key of `rig`.
    async fn create(rig: &Rig) -> Ids {
        let post = async |path: &str, body: Value| {
            let url = format!("{}/api/v1/{path}", rig.url);
            let answer: Value = rig
                .http
                .post(url)
                .json(&body)
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            answer["id"]
                .as_str()
                .unwrap_or_else(|| panic!("{answer}"))
                .to_owned()
        };
        let tus = async |concat: Option<&str>, bytes: &'static str| {
            let mut request = rig
                .http
                .post(format!("{}/api/v1/files", rig.url))
                .header("tus-resumable", "1.0.0")
                .header("upload-length", 6)
                .header("content-type", "application/offset+octet-stream")
                .body(bytes);
            if let Some(concat) = concat {
                request = request.header("upload-concat", concat);
            }
            let answer = request.send().await.unwrap();
            let location = answer.headers()["location"].to_str().unwrap();
            location.strip_prefix("/api/v1/files/").unwrap().to_owned()
        };
        // Its messages stay pending, because the address is not public.
        let webhook = post("webhooks", json!({ "url": "https://localhost/" })).await;
        let job = rig.submit(&json!({ "stages": ["scale"] })).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let task = rig.pull(Stage::Scale).await;
        rig.succeed(&task, json!({})).await;
        rig.until_job(&job, |job| job["status"] == "succeeded").await;
        let log = async || {
            rig.read(&format!("/api/v1/webhooks/{webhook}/deliveries"))
                .await
                .1
        };
        until(async || log().await["data"][0]["id"].is_string()).await;
        Ids {
            delivery: log().await["data"][0]["id"].as_str().unwrap().to_owned(),
            webhook,
            job,
            batch: post(
                "batches",
                json!({ "items": [{ "source": { "url": "https://example.com/" } }] }),
            )
            .await,
            upload: post("uploads", json!({ "filename": "a", "size": 6 })).await,
            file: tus(None, "a ").await,
            part: tus(Some("partial"), "a film").await,
        }
    }

    /// The path with the ids of its kind.
    fn fill(&self, path: &str) -> String {
        let id = match path.split('/').nth(3).unwrap_or_default() {
            "webhooks" => &self.webhook,
            "batches" => &self.batch,
            "uploads" => &self.upload,
            "files" => &self.file,
            _ => &self.job,
        };
        path.replace("{id}", id)
            .replace("{delivery_id}", &self.delivery)
            .replace("{stage}", "scale")
            .replace("{name}", "720p.mp4")
            .replace("{kind}", "compression")
    }
}

impl Rig {
    /// The response to GET.
    async fn read(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }
}

#[tokio::test]
async fn every_route_lets_in_its_scope_and_its_tenant_alone() {
    let rig = unlimited().await;
    let all = rig.key("mine", &ALL).await;
    let stranger = rig.key("theirs", &ALL).await;
    let mut single = Vec::new();
    for scope in SCOPES {
        single.push((scope, rig.key("mine", &[scope]).await));
    }
    let rig = rig.rig.with_key(&all);
    let ids = Ids::create(&rig).await;
    let state = async || {
        let mut state = Vec::new();
        for path in ["jobs/{id}", "webhooks/{id}", "batches/{id}"] {
            let (status, body) = rig.read(&ids.fill(&format!("/api/v1/{path}"))).await;
            assert_eq!(status, StatusCode::OK, "{path}: {body}");
            state.push(body);
        }
        state
    };
    let before = state().await;
    let others = reqwest::Client::new();
    let asked = async |method: &str, path: &str, key: Option<&str>| {
        let rig = Asker {
            http: &others,
            url: &rig.url,
        };
        let answer = rig.ask(method, path, key).await;
        println!("{method} {path} {key:?}: {} {}", answer.0, answer.2["code"]);
        answer
    };
    let nobodys = format!("vidp_{}_{}", Uuid::now_v7().simple(), "0".repeat(48));
    let earlier = ROUTES.iter().filter(|row| row.1.starts_with("/api/v1/files"));
    let earlier: Vec<_> = earlier
        .map(|(method, path, scopes)| (*method, path.strip_prefix("/api/v1").unwrap(), *scopes))
        .collect();
    for (method, path, needed) in ROUTES.iter().chain(&earlier) {
        // The address of resumable uploads in earlier releases has the same objects.
        let fill = |ids: &Ids| match path.starts_with("/files") {
            true => path.replace("{id}", &ids.file),
            false => ids.fill(path),
        };
        let real = fill(&ids);
        if needed.is_empty() {
            let (status, ..) = asked(method, &real, None).await;
            // The path itself has the right.
            let is_granted = path.contains("{grant}");
            assert!(if is_granted {
                status == StatusCode::NOT_FOUND
            } else {
                status.is_success()
            });
            continue;
        }
        for wrong in [
            None,
            Some(nobodys.as_str()),
            Some("vidp_"),
            Some(&all[..all.len() - 1]),
        ] {
            let (status, challenge, body) = asked(method, &real, wrong).await;
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
            if needed.contains(scope) {
                // The object does not exist, so that an allowed request does not change what later ones see.
                let (status, challenge, _) = asked(method, &fill(&Ids::none()), Some(key)).await;
                assert!(challenge.is_empty() && !status.is_server_error(), "{status}");
                continue;
            }
            let (status, challenge, body) = asked(method, &real, Some(key)).await;
            assert_eq!(
                (status, &body["code"]),
                (StatusCode::FORBIDDEN, &json!("insufficient_scope"))
            );
            assert!(
                challenge.contains(&format!("scope=\"{}\"", needed[0])),
                "{challenge}"
            );
        }
        let (status, _, body) = asked(method, &real, Some(&stranger)).await;
        match (needed[0], path.contains("{id}"), *method) {
            ("admin", ..) => assert_eq!(status, StatusCode::FORBIDDEN),
            (_, true, _) => {
                assert_eq!(
                    (status, &body["code"]),
                    (StatusCode::NOT_FOUND, &json!("not_found"))
                );
                // The object exists for its owner.
                if ["GET", "HEAD"].contains(method) {
                    assert!(asked(method, &real, Some(&all)).await.0.is_success());
                }
            }
            // Not specific to a tenant.
            _ if ["/api/v1/events", "/api/v1/processing/supported-languages"].contains(path) => {
                assert_eq!(status, StatusCode::OK);
            }
            (_, false, "GET") => assert_eq!((status, &body["data"]), (StatusCode::OK, &json!([]))),
            _ => assert!(status.is_client_error(), "{status}"),
        }
    }
    assert_eq!(state().await, before);
    let log = rig.read(&ids.fill("/api/v1/webhooks/{id}/deliveries")).await.1;
    assert_eq!(log["data"][0]["id"], ids.delivery);
}

#[tokio::test]
async fn parts_and_events_of_another_tenant_are_out_of_reach() {
    let rig = unlimited().await;
    let (mine, theirs) = (rig.key("mine", &ALL).await, rig.key("theirs", &ALL).await);
    let rig = rig.rig.with_key(&mine);
    let before = rig.last_event(&mine).await;
    let ids = Ids::create(&rig).await;
    let join = async |key: &str| {
        let request = rig.http.post(format!("{}/api/v1/files", rig.url));
        let request = request
            .header("tus-resumable", "1.0.0")
            .header("upload-concat", format!("final;/api/v1/files/{}", ids.part));
        request
            .header("authorization", format!("Bearer {key}"))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(join(&theirs).await, StatusCode::NOT_FOUND);
    assert_eq!(join(&mine).await, StatusCode::CREATED);

    // A stranger that resumes from an event of another tenant gets its own events alone.
    let own = rig.upload_as(&theirs).await;
    let seen = rig.events_since(&theirs, &before, &own).await;
    assert!(!seen.contains(&ids.job), "{seen}");
    let seen = rig.events_since(&mine, &before, &ids.job).await;
    assert!(!seen.contains(&own), "{seen}");
}

#[tokio::test]
async fn a_key_that_creates_jobs_has_its_own_uploads_and_nothing_else() {
    let rig = Guarded::new().await;
    let (one, other) = (
        rig.key("acme", &["jobs:create"]).await,
        rig.key("acme", &["jobs:create"]).await,
    );
    let server = rig.key("acme", &ALL).await;
    let rig = rig.rig.with_key(&one);
    let begun = rig
        .http
        .post(format!("{}/api/v1/files", rig.url))
        .header("tus-resumable", "1.0.0")
        .header("upload-length", 6)
        .send()
        .await
        .unwrap();
    let file = begun.headers()["location"].to_str().unwrap().to_owned();
    let others = reqwest::Client::new();
    let asker = Asker {
        http: &others,
        url: &rig.url,
    };
    for (key, expected) in [(&one, 200), (&other, 404), (&server, 200)] {
        assert_eq!(asker.ask("HEAD", &file, Some(key)).await.0, expected);
    }
    assert_eq!(asker.ask("DELETE", &file, Some(&other)).await.0, 404);
    let job = rig.submit(&json!({ "stages": ["scale"] })).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for path in [format!("jobs/{job}"), "jobs".to_owned(), "webhooks".to_owned()] {
        let (status, problem) = rig.read(&format!("/api/v1/{path}")).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (403, &json!("insufficient_scope"))
        );
    }
    // It must not make the server fetch files.
    let body = json!({ "source": { "url": "https://example.com/" } });
    let answer = rig.http.post(rig.jobs_url()).json(&body).send().await.unwrap();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "insufficient_scope", "{problem}");
}

/// An API that counts no requests.
async fn unlimited() -> Guarded {
    let none = |name| (name, "0".to_owned());
    Guarded::with(&[
        none("VIDP_FAILED_KEYS_PER_MINUTE"),
        none("VIDP_REQUESTS_PER_MINUTE"),
    ])
    .await
}

/// A client that sends no key unless the request sets one.
struct Asker<'a> {
    http: &'a reqwest::Client,
    url: &'a str,
}

impl Asker<'_> {
    async fn ask(&self, method: &str, path: &str, key: Option<&str>) -> (StatusCode, String, Value) {
        let method: Method = method.parse().unwrap();
        let is_head = method == Method::HEAD;
        let mut request = self.http.request(method, format!("{}{path}", self.url));
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
}

impl Rig {
    /// Uploads with another key, and returns the job's id. Its stage is not the one whose task the test pulls.
    async fn upload_as(&self, key: &str) -> String {
        let options = [("options", r#"{"stages":["detect"]}"#)];
        let request = self.http.post(self.jobs_url()).query(&options);
        let request = request.header("content-type", "video/mp4").body("a film");
        let request = request.header("authorization", format!("Bearer {key}"));
        let job: Value = request.send().await.unwrap().json().await.unwrap();
        job["id"].as_str().unwrap().to_owned()
    }

    /// The id of the first event after an upload with this key.
    async fn last_event(&self, key: &str) -> String {
        let stream = self.events(key, None).await;
        let job = self.upload_as(key).await;
        let text = read_until(stream, &job).await;
        let id = text
            .lines()
            .filter_map(|line| line.strip_prefix("id:"))
            .next_back();
        id.unwrap_or_else(|| panic!("{text}")).trim().to_owned()
    }

    /// The events after `id`, up to the first that names `job`.
    async fn events_since(&self, key: &str, id: &str, job: &str) -> String {
        read_until(self.events(key, Some(id)).await, job).await
    }

    async fn events(&self, key: &str, last: Option<&str>) -> reqwest::Response {
        let mut request = reqwest::Client::new().get(format!("{}/api/v1/events", self.url));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.bearer_auth(key).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer
    }
}

/// The text of an event stream up to the end of the event that contains `part`.
async fn read_until(mut stream: reqwest::Response, part: &str) -> String {
    let mut text = String::new();
    let read = async {
        while !text
            .split_once(part)
            .is_some_and(|(_, rest)| rest.contains("\n\n"))
        {
            let piece = stream.chunk().await.unwrap().expect("an open stream");
            text += &String::from_utf8_lossy(&piece);
        }
    };
    tokio::time::timeout(LIMIT, read)
        .await
        .expect("the event in time");
    text
}
