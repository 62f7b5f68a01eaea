use crate::harness::{LIMIT, Pulled, Rig, clients, python, until};
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use vidp_contract::{Outcome, Stage};

/// An event stream, read by `httpx-sse`.
struct Client {
    _process: tokio::process::Child,
    lines: Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Client {
    /// Connects, and returns the status of the response.
    async fn open(url: &str, last: Option<&str>) -> (Client, u64) {
        let mut process = python("client-venv")
            .arg(clients("sse.py"))
            .arg(url)
            .args(last)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut client = Client {
            _process: process,
            lines,
        };
        let status = client.line().await.expect("an answer")["status"]
            .as_u64()
            .unwrap();
        (client, status)
    }

    async fn line(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(LIMIT, self.lines.next_line())
            .await
            .expect("in time");
        line.unwrap().map(|line| serde_json::from_str(&line).unwrap())
    }

    /// The next event with data; `None` at the end of the stream.
    async fn event(&mut self) -> Option<Value> {
        let event = async {
            loop {
                match self.line().await {
                    Some(event) if event["data"].is_null() => {}
                    other => return other,
                }
            }
        };
        tokio::time::timeout(LIMIT, event).await.expect("in time")
    }

    /// Reads events up to the first that meets the condition, inclusive.
    async fn until(&mut self, condition: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await.expect("an event");
            let found = condition(&event);
            events.push(event);
            if found {
                return events;
            }
        }
    }
}

fn shares(events: &[Value]) -> Vec<f64> {
    let progress = events.iter().filter(|event| event["event"] == "progress");
    progress
        .map(|event| event["data"]["stages"]["scale"]["progress"].as_f64().unwrap())
        .collect()
}

fn id(event: &Value) -> &str {
    event["id"].as_str().unwrap()
}

async fn progress(rig: &Rig, pulled: &Pulled, share: f64) {
    rig.queue.progress(&pulled.progress(share)).await.unwrap();
    let id = pulled.task.job_id.to_string();
    rig.until_job(&id, |job| job["stages"]["scale"]["progress"] == share)
        .await;
}

#[tokio::test]
async fn a_job_tells_what_becomes_of_it_until_its_end() {
    let rig = Rig::with(&[("VIDP_EVENT_HEARTBEAT_SECONDS", "1".to_owned())]).await;
    let job = rig
        .submit(&json!({ "stages": ["scale"], "metadata": { "k": 1 } }))
        .await;
    let path = format!("/api/v1/jobs/{}/events", job["id"].as_str().unwrap());
    let url = format!("{}{path}", rig.url);
    let scale = rig.pull(Stage::Scale).await;
    let (mut client, status) = Client::open(&url, None).await;
    assert_eq!(status, 200);
    let first = client.event().await.unwrap();
    assert_eq!(
        (&first["event"], &first["data"]["status"]),
        (&json!("status"), &json!("queued"))
    );

    progress(&rig, &scale, 0.25).await;
    progress(&rig, &scale, 0.5).await;
    let events = client.until(|event| event["event"] == "progress").await;
    assert_eq!(events[0]["data"]["status"], "running");
    assert_eq!(shares(&events), [0.5]);
    let middle = events.last().unwrap();
    // An event has the same shape as the job.
    assert_eq!(
        middle["data"],
        rig.job(scale.task.job_id.to_string().as_str()).await
    );
    drop(client);

    // Another replica resumes after the last event, and sends the job that has changed meanwhile.
    let other = rig.replica().await;
    let elsewhere = format!("{}{path}", other.url);
    let (mut client, _) = Client::open(&elsewhere, Some(id(middle))).await;
    progress(&rig, &scale, 0.75).await;
    let next = client.event().await.unwrap();
    assert_eq!(next["data"]["stages"]["scale"]["progress"], 0.75);
    drop(client);
    rig.succeed(&scale, json!({})).await;
    rig.until_job(job["id"].as_str().unwrap(), |job| job["status"] == "succeeded")
        .await;
    let (mut client, _) = Client::open(&elsewhere, Some(id(&next))).await;
    let last = client.event().await.unwrap();
    assert_eq!(last["data"]["status"], "succeeded");
    assert_eq!(client.event().await, None, "the stream of an ended job ends");

    // This response stops an EventSource, which would reconnect forever.
    assert_eq!(Client::open(&url, Some(id(&last))).await.1, 204);
    assert_eq!(Client::open(&url, Some("nonsense")).await.1, 400);
    let unknown = rig.url.clone() + "/api/v1/jobs/019f0000-0000-7000-8000-000000000000/events";
    assert_eq!(Client::open(&unknown, None).await.1, 404);
}

#[tokio::test]
async fn every_change_of_every_job_is_told_once_across_replicas() {
    let mut rig = Rig::new().await;
    let other = rig.replica().await;
    let (mut client, status) = Client::open(&format!("{}/api/v1/events", rig.url), None).await;
    assert_eq!(status, 200);
    let first = rig.submit(&json!({ "stages": ["scale"] })).await;
    let scale = rig.pull(Stage::Scale).await;
    // The first progress message starts the stage, which is a status event.
    progress(&rig, &scale, 0.2).await;
    progress(&rig, &scale, 0.25).await;
    let mut events = client.until(|event| event["event"] == "progress").await;
    let seen = id(events.last().unwrap()).to_owned();

    // The replica dies, and the job changes before the client reaches the other one.
    rig.kill_api();
    for share in [0.5, 0.75] {
        let url = format!("{}/api/v1/jobs/{}", other.url, scale.task.job_id);
        until(async || {
            // Repeated, as a worker does: the broker may have delivered the first message to the replica that has just
            // died. The same progress twice is one event.
            rig.queue.progress(&scale.progress(share)).await.unwrap();
            let job: Value = rig.http.get(&url).send().await.unwrap().json().await.unwrap();
            job["stages"]["scale"]["progress"] == share
        })
        .await;
    }
    let (mut client, _) = Client::open(&format!("{}/api/v1/events", other.url), Some(&seen)).await;
    rig.succeed(&scale, json!({})).await;
    let ended = |event: &Value| event["data"]["status"] == "succeeded";
    events.extend(client.until(ended).await);
    let received: Vec<_> = events
        .iter()
        .map(|event| {
            format!(
                "{} {}",
                event["event"].as_str().unwrap(),
                event["data"]["status"].as_str().unwrap()
            )
        })
        .collect();
    let expected = [
        "status uploading",
        "status queued",
        "status running",
        "progress running",
        "progress running",
        "progress running",
        "status succeeded",
    ];
    assert_eq!(received, expected);
    assert!(events.iter().all(|event| event["data"]["id"] == first["id"]));
    let url = format!("{}/api/v1/jobs/{}", other.url, scale.task.job_id);
    rig.http.delete(&url).send().await.unwrap();
    let deleted = client.event().await.unwrap();
    assert_eq!(
        (&deleted["event"], &deleted["data"]),
        (&json!("deleted"), &json!({ "id": first["id"] }))
    );
}

#[tokio::test]
async fn an_id_that_is_too_old_or_none_is_told() {
    let rig = Rig::new().await;
    let url = format!("{}/api/v1/events", rig.url);
    assert_eq!(Client::open(&url, Some("nonsense")).await.1, 400);
    assert_eq!(Client::open(&url, Some("82AB")).await.1, 400);
    let (mut client, _) = Client::open(&url, None).await;
    rig.submit(&json!({ "stages": ["scale"] })).await;
    // The last event of this job: a later one would follow the reset.
    let mut events = client.until(|event| event["data"]["status"] == "queued").await;
    let event = events.pop().unwrap();
    // The same position, many years ago: a resume token begins with the type and the time.
    let old = format!("82{:08X}{}", 1_400_000_000, &id(&event)[10..]);
    let (mut client, status) = Client::open(&url, Some(&old)).await;
    assert_eq!(status, 200);
    let reset = client.event().await.unwrap();
    assert_eq!(reset["event"], "reset");
    // The stream continues from now.
    rig.submit(&json!({ "stages": ["scale"] })).await;
    assert_eq!(client.event().await.unwrap()["data"]["status"], "uploading");
    assert!(id(&reset) > id(&event));
}

#[tokio::test]
async fn a_client_that_reads_slowly_misses_nothing() {
    let rig = Rig::new().await;
    let metadata = json!({ "filling": "x".repeat(15_000) });
    let job = rig
        .submit(&json!({ "stages": ["scale"], "metadata": metadata }))
        .await;
    let scale = rig.pull(Stage::Scale).await;
    rig.until_job(job["id"].as_str().unwrap(), |job| job["status"] == "queued")
        .await;
    // Open the stream, and do not read it until 5 MB are waiting: more than the retained changes and any socket's buffer.
    let answer = rig
        .http
        .get(format!("{}/api/v1/events", rig.url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    for step in 1..=600 {
        rig.queue
            .progress(&scale.progress(f64::from(step) / 1000.0))
            .await
            .unwrap();
        if step % 50 == 0 {
            progress(&rig, &scale, f64::from(step) / 1000.0).await;
        }
    }
    rig.answer(
        &scale,
        Outcome::Skipped {
            code: vidp_contract::SkipCode::NoAudio,
        },
    )
    .await;
    rig.until_job(job["id"].as_str().unwrap(), |job| job["status"] == "succeeded")
        .await;
    let (mut body, mut text) = (answer.bytes_stream(), String::new());
    while !text.contains("\"succeeded\"") {
        let piece = tokio::time::timeout(LIMIT, body.next()).await.expect("in time");
        text.push_str(std::str::from_utf8(&piece.expect("more").unwrap()).unwrap());
    }
    let progress = text.matches("event: progress").count();
    assert_eq!((progress, text.matches("event: status").count()), (599, 2));
}

#[tokio::test]
async fn streams_end_with_the_process_and_have_heartbeats() {
    let mut rig = Rig::with(&[("VIDP_EVENT_HEARTBEAT_SECONDS", "1".to_owned())]).await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let of_job = format!("/jobs/{}/events", job["id"].as_str().unwrap());
    let mut streams = Vec::new();
    for path in [of_job.as_str(), "/events"] {
        let mut answer = rig
            .http
            .get(format!("{}/api/v1{path}", rig.url))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let mut text = String::new();
        while !text.contains("\n:\n") {
            let piece = tokio::time::timeout(Duration::from_secs(5), answer.chunk())
                .await
                .expect("a heartbeat");
            text.push_str(std::str::from_utf8(&piece.unwrap().expect("more")).unwrap());
        }
        streams.push(answer);
    }
    assert_eq!(rig.stop_api(), Some(0));
    for mut answer in streams {
        // The stream ends, and the connection does not break.
        while answer.chunk().await.unwrap().is_some() {}
    }
}
