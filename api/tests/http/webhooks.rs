use crate::harness::{Guarded, LIMIT, Rig, clients, python, until};
use bson::{Document, doc};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
};
use vidp_contract::{FailureCode, Outcome, Stage};
use vidp_engines::free_port;

/// A receiver that verifies signatures with the library of Standard Webhooks.
pub(crate) struct Receiver {
    _process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
}

impl Receiver {
    pub(crate) async fn start(port: u16, statuses: &str) -> Receiver {
        let mut command = python("client-venv");
        let command = command.arg(clients("webhook.py")).arg(port.to_string());
        let command = command.arg(statuses).stdin(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let input = process.stdin.take().unwrap();
        let url = format!("http://127.0.0.1:{port}/hook?a=b");
        let mut receiver = Receiver {
            _process: process,
            input,
            lines,
            url,
        };
        assert_eq!(receiver.next().await["port"], port);
        receiver
    }

    pub(crate) async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(LIMIT, self.lines.next_line())
            .await
            .expect("in time");
        serde_json::from_str(&line.unwrap().expect("a line")).unwrap()
    }

    pub(crate) async fn trust(&mut self, secret: &Value) {
        let line = format!("secret {}\n", secret.as_str().unwrap());
        self.input.write_all(line.as_bytes()).await.unwrap();
        assert!(self.next().await["secrets"].is_number());
    }

    async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(2), self.lines.next_line())
            .await
            .is_err()
    }
}

async fn rig(more: &[(&'static str, String)]) -> Rig {
    let mut env = vec![
        ("VIDP_OUTBOUND_ALLOW", "127.0.0.1/32".to_owned()),
        ("VIDP_WEBHOOK_RETRY_SECONDS", "1,1".to_owned()),
    ];
    env.extend_from_slice(more);
    Rig::with(&env).await
}

async fn ask(rig: &Rig, method: Method, path: &str, body: Value) -> Response {
    let url = format!("{}/api/v1/webhooks{path}", rig.url);
    let kind = match method {
        Method::PATCH => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = rig.http.request(method, url).header("content-type", kind);
    request.body(body.to_string()).send().await.unwrap()
}

async fn call(rig: &Rig, method: Method, path: &str, body: Value) -> Value {
    let answer = ask(rig, method, path, body).await;
    let status = answer.status();
    let answer = answer.json().await.unwrap();
    assert!(status.is_success(), "{answer}");
    answer
}

/// Runs a job to its end, and returns the job.
async fn run_job(rig: &Rig, good: bool) -> Value {
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let scale = rig.pull(Stage::Scale).await;
    if good {
        rig.succeed(&scale, json!({})).await;
    } else {
        let (code, detail) = (FailureCode::TimedOut, "too long".to_owned());
        rig.answer(&scale, Outcome::Failed { code, detail }).await;
    }
    job
}

async fn until_state(rig: &Rig, path: &str, state: &str) -> Value {
    let newest = async || {
        let mut log = call(rig, Method::GET, path, json!({})).await;
        log["data"][0].take()
    };
    until(async || newest().await["state"] == state).await;
    newest().await
}

#[tokio::test]
async fn a_receiver_is_told_verifies_and_is_tried_again() {
    let rig = rig(&[]).await;
    let mut receiver = Receiver::start(free_port(), "500,204").await;
    let hook = call(
        &rig,
        Method::POST,
        "",
        json!({ "url": receiver.url, "description": "mine" }),
    )
    .await;
    receiver.trust(&hook["secret"]).await;
    let path = format!("/{}", hook["id"].as_str().unwrap());
    let deliveries = format!("{path}/deliveries");

    let job = run_job(&rig, true).await;
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!(
        (&first["verified"], &second["verified"]),
        (&json!([true]), &json!([true]))
    );
    assert_eq!((&first["id"], &first["body"]), (&second["id"], &second["body"]));
    assert_eq!((&first["status"], &second["status"]), (&json!(500), &json!(204)));
    let body = &first["body"];
    assert_eq!(
        (&body["type"], &body["data"]["id"]),
        (&json!("job.succeeded"), &job["id"])
    );
    assert_eq!(body["data"]["status"], "succeeded");
    assert!(first["id"].as_str().unwrap().starts_with("msg_") && body["timestamp"].is_string());
    let delivery = until_state(&rig, &deliveries, "delivered").await;
    let statuses: Vec<_> = delivery["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["status"])
        .collect();
    assert_eq!(statuses, [&json!(500), &json!(204)]);
    assert_eq!(
        (&delivery["message_id"], &delivery["payload"]),
        (&first["id"], body)
    );

    // A replay sends the same message.
    let replay = format!("{deliveries}/{}/replay", delivery["id"].as_str().unwrap());
    assert_eq!(
        ask(&rig, Method::POST, &replay, json!({})).await.status(),
        StatusCode::ACCEPTED
    );
    assert_eq!(receiver.next().await["id"], first["id"]);

    // After a rotation both secrets sign until the old one expires.
    let rotated = call(
        &rig,
        Method::POST,
        &format!("{path}/rotate"),
        json!({ "overlap_seconds": 60 }),
    )
    .await;
    assert_ne!(rotated["secret"], hook["secret"]);
    receiver.trust(&rotated["secret"]).await;
    run_job(&rig, false).await;
    let message = receiver.next().await;
    assert_eq!(
        (&message["verified"], &message["body"]["type"]),
        (&json!([true, true]), &json!("job.failed"))
    );
    let rotated = call(
        &rig,
        Method::POST,
        &format!("{path}/rotate"),
        json!({ "overlap_seconds": 0 }),
    )
    .await;
    receiver.trust(&rotated["secret"]).await;
    run_job(&rig, false).await;
    assert_eq!(receiver.next().await["verified"], json!([false, false, true]));

    // The webhook receives only the selected event types.
    call(
        &rig,
        Method::PATCH,
        &path,
        json!({ "event_types": ["job.cancelled"] }),
    )
    .await;
    run_job(&rig, true).await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    rig.post(job["id"].as_str().unwrap(), "cancel").await;
    assert_eq!(receiver.next().await["body"]["type"], "job.cancelled");
    let shown = call(&rig, Method::GET, &path, json!({})).await;
    assert!(shown.get("secret").is_none() && shown["description"] == "mine");
    assert_eq!(
        call(&rig, Method::GET, "", json!({})).await["data"],
        json!([shown])
    );
    assert_eq!(
        call(
            &rig,
            Method::GET,
            &format!("{deliveries}?state=failed"),
            json!({})
        )
        .await["data"],
        json!([])
    );
    let page = call(&rig, Method::GET, &format!("{deliveries}?limit=1"), json!({})).await;
    let rest = format!(
        "{deliveries}?limit=9&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    assert_eq!(
        call(&rig, Method::GET, &rest, json!({})).await["data"]
            .as_array()
            .unwrap()
            .len(),
        3
    );

    assert_eq!(
        ask(&rig, Method::DELETE, &path, json!({})).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        ask(&rig, Method::GET, &path, json!({})).await.status(),
        StatusCode::NOT_FOUND
    );
    run_job(&rig, true).await;
    assert!(receiver.is_silent().await);
}

#[tokio::test]
async fn who_is_gone_or_never_answers_is_left_alone() {
    let rig = rig(&[]).await;
    let mut gone = Receiver::start(free_port(), "410").await;
    let unreachable = format!("http://127.0.0.1:{}/", free_port());
    let first = call(&rig, Method::POST, "", json!({ "url": gone.url })).await;
    let second = call(&rig, Method::POST, "", json!({ "url": unreachable })).await;
    run_job(&rig, true).await;
    assert_eq!(gone.next().await["status"], 410);
    let path = |hook: &Value| format!("/{}", hook["id"].as_str().unwrap());
    let disabled = async |hook: &Value, reason: &str| {
        until(async || call(&rig, Method::GET, &path(hook), json!({})).await["disabled_reason"] == reason)
            .await;
        assert_eq!(
            call(&rig, Method::GET, &path(hook), json!({})).await["enabled"],
            false
        );
    };
    disabled(&first, "gone").await;
    disabled(&second, "failing").await;
    let log = format!("{}/deliveries", path(&second));
    let failed = until_state(&rig, &log, "failed").await;
    let attempts = failed["attempts"].as_array().unwrap();
    assert_eq!(
        (attempts.len(), &attempts[2]["error"]),
        (3, &json!("no connection"))
    );
    run_job(&rig, true).await;
    assert!(gone.is_silent().await);

    let replay = format!("{log}/{}/replay", failed["id"].as_str().unwrap());
    assert_eq!(
        ask(&rig, Method::POST, &replay, json!({})).await.status(),
        StatusCode::CONFLICT
    );
    let enabled = call(
        &rig,
        Method::PATCH,
        &path(&second),
        json!({ "enabled": true, "url": gone.url }),
    )
    .await;
    assert_eq!(
        (&enabled["enabled"], &enabled["disabled_reason"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(
        ask(&rig, Method::POST, &replay, json!({})).await.status(),
        StatusCode::ACCEPTED
    );
    assert_eq!(gone.next().await["body"]["type"], "job.succeeded");
}

#[tokio::test]
async fn what_would_reach_inside_or_makes_no_sense_is_refused() {
    let rig = Rig::new().await;
    for wrong in [
        json!({ "url": "http://127.0.0.1:1/" }),
        json!({ "url": "https://169.254.169.254/latest/meta-data" }),
        json!({ "url": "http://example.com/" }),
        json!({ "url": "https://user:password@example.com/" }),
        json!({ "url": "nonsense" }),
        json!({}),
        json!({ "url": "https://example.com/", "secret": "whsec_c2hvcnQ=" }),
        json!({ "url": "https://example.com/", "event_types": ["job.exploded"] }),
        json!({ "url": "https://example.com/", "colour": "red" }),
    ] {
        assert_eq!(
            ask(&rig, Method::POST, "", wrong.clone()).await.status(),
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
    // A host name with a private address is refused when it is resolved.
    let hook = call(&rig, Method::POST, "", json!({ "url": "https://localhost/" })).await;
    run_job(&rig, true).await;
    let log = format!("/{}/deliveries", hook["id"].as_str().unwrap());
    let newest = async || call(&rig, Method::GET, &log, json!({})).await["data"][0].clone();
    until(async || newest().await["attempts"][0]["error"].is_string()).await;
    assert_eq!(
        newest().await["attempts"][0]["error"],
        "localhost does not resolve to a public address"
    );
    for patch in [
        json!({ "url": "http://127.0.0.1:1/" }),
        json!({ "secret": "x" }),
        json!({ "id": 1 }),
    ] {
        let path = format!("/{}", hook["id"].as_str().unwrap());
        assert_eq!(
            ask(&rig, Method::PATCH, &path, patch.clone()).await.status(),
            StatusCode::BAD_REQUEST,
            "{patch}"
        );
    }
}

#[tokio::test]
async fn no_end_of_a_job_is_missed_when_the_api_dies() {
    let port = free_port();
    for step in ["announce.begun", "announce.stored", "kill -9"] {
        let crash = if step.starts_with("announce") { step } else { "" };
        let mut rig = rig(&[("VIDP_WEBHOOK_RETRY_SECONDS", "1,1,1,1,1,1,1,1".to_owned())]).await;
        // No receiver listens yet.
        let hook = json!({ "url": format!("http://127.0.0.1:{port}/") });
        let hook = call(&rig, Method::POST, "", hook).await;
        rig.kill_api();
        if !crash.is_empty() {
            rig.set_env("VIDP_CRASH_AT", Some(crash));
        }
        rig.start_api().await;
        let job = run_job(&rig, true).await;
        if crash.is_empty() {
            let id = job["id"].as_str().unwrap();
            rig.until_job(id, |job| job["status"] == "succeeded").await;
            rig.kill_api();
        } else {
            let deadline = std::time::Instant::now() + LIMIT;
            while rig.api_is_running() {
                assert!(std::time::Instant::now() < deadline, "it dies at {step}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let mut receiver = Receiver::start(port, "200").await;
        receiver.trust(&hook["secret"]).await;
        rig.set_env("VIDP_CRASH_AT", None);
        rig.start_api().await;
        let message = receiver.next().await;
        assert_eq!(
            (&message["body"]["data"]["id"], &message["verified"]),
            (&job["id"], &json!([true])),
            "{step}"
        );
        assert!(receiver.is_silent().await, "{step}: delivered once");
    }
}

#[tokio::test]
async fn a_tenant_has_twenty_webhooks_also_when_they_are_created_together() {
    let rig = Rig::new().await;
    let create = async |number: usize| {
        let hook = json!({ "url": format!("https://example.com/{number}") });
        ask(&rig, Method::POST, "", hook).await.status()
    };
    let statuses = futures_util::future::join_all((0..60).map(create)).await;
    assert!(
        statuses
            .iter()
            .all(|status| [StatusCode::CREATED, StatusCode::CONFLICT].contains(status)),
        "{statuses:?}"
    );
    let list = call(&rig, Method::GET, "", json!({})).await;
    let stored = list["data"].as_array().unwrap().len();
    let created = statuses
        .iter()
        .filter(|status| **status == StatusCode::CREATED)
        .count();
    assert!(
        stored <= 20 && stored == created,
        "{stored} webhooks, {created} created"
    );
}

#[tokio::test]
async fn secrets_are_encrypted_in_the_record() {
    let rig = Guarded::with(&[("VIDP_OUTBOUND_ALLOW", "127.0.0.1/32".to_owned())]).await;
    let scopes = ["jobs:read", "jobs:write", "webhooks:read", "webhooks:write"];
    let key = rig.key("acme", &scopes).await;
    let rig = rig.rig.with_key(&key);
    let mut receiver = Receiver::start(free_port(), "204").await;
    let hook = call(&rig, Method::POST, "", json!({ "url": receiver.url })).await;
    receiver.trust(&hook["secret"]).await;
    let stored = async |change: Option<Document>| {
        let hooks = rig.stored("webhooks", change).await;
        let secrets = hooks[0].get_array("secrets").unwrap();
        secrets[0]
            .as_document()
            .unwrap()
            .get_str("key")
            .unwrap()
            .to_owned()
    };
    assert!(
        stored(None).await.starts_with("sealed:"),
        "{}",
        stored(None).await
    );
    run_job(&rig, true).await;
    assert_eq!(receiver.next().await["verified"], json!([true]));

    // A secret that an earlier release stored signs, and is encrypted at the next change.
    let plain = hook["secret"].as_str().unwrap();
    assert_eq!(
        stored(Some(doc! { "$set": { "secrets.0.key": plain } })).await,
        plain
    );
    run_job(&rig, true).await;
    assert_eq!(receiver.next().await["verified"], json!([true]));
    let path = format!("/{}", hook["id"].as_str().unwrap());
    call(&rig, Method::PATCH, &path, json!({ "description": "mine" })).await;
    assert!(stored(None).await.starts_with("sealed:"));
    run_job(&rig, true).await;
    assert_eq!(receiver.next().await["verified"], json!([true]));

    // A secret that cannot be read signs nothing, and the message is not sent.
    let other = doc! { "$set": { "secrets.0.key": "sealed:1:AAAA" } };
    stored(Some(other)).await;
    run_job(&rig, true).await;
    let log = format!("{path}/deliveries");
    let newest = async || call(&rig, Method::GET, &log, json!({})).await["data"][0].clone();
    until(async || newest().await["attempts"][0]["error"].is_string()).await;
    let error = newest().await["attempts"][0]["error"].clone();
    assert_eq!(error, "no secret of the webhook can be read: rotate it");
}
