//! Batches: many jobs in one request.

use crate::{
    harness::{Rig, until},
    uploads::references::put,
};
use bson::doc;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use uuid::Uuid;
use vidp_contract::{FailureCode, Lane, Outcome, Stage};
use vidp_record::time::{DateTime, after};

/// An API, and a bucket from which it may read sources.
async fn with_bucket() -> (Rig, String) {
    with_bucket_and(&[]).await
}

/// The same, with additional settings.
async fn with_bucket_and(more: &[(&'static str, String)]) -> (Rig, String) {
    let bucket = format!("films-{}", Uuid::now_v7().simple());
    let allowed = ("VIDP_SOURCE_BUCKETS", format!("{bucket}/in/"));
    let rig = Rig::with(&[&[allowed], more].concat()).await;
    let films = rig.store.beside(&bucket);
    films.ensure_bucket().await.unwrap();
    put(&rig, &films, "in/film.mp4", b"a film").await;
    (rig, bucket)
}

impl Rig {
    async fn batch(&self, kind: &str, query: &str, body: String) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}/api/v1/batches{query}", self.url));
        let answer = request
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Sends a batch with a key; returns the status, whether the response was replayed, and the batch.
    async fn keyed_batch(&self, key: &str, body: impl Into<reqwest::Body>) -> (StatusCode, bool, Value) {
        let request = self.http.post(format!("{}/api/v1/batches", self.url));
        let request = request
            .header("content-type", "application/x-ndjson")
            .header("idempotency-key", key);
        let answer = request.body(body).send().await.unwrap();
        let replayed = answer.headers().contains_key("idempotent-replayed");
        (answer.status(), replayed, answer.json().await.unwrap())
    }

    async fn get_batch(&self, id: &str) -> Value {
        let answer = self.http.get(format!("{}/api/v1/batches/{id}", self.url));
        answer.send().await.unwrap().json().await.unwrap()
    }

    async fn act(&self, id: &str, action: &str) -> StatusCode {
        let url = format!("{}/api/v1/batches/{id}/{action}", self.url);
        self.http.post(url).send().await.unwrap().status()
    }
}

#[tokio::test]
async fn items_that_are_wrong_do_not_sink_the_others() {
    let (rig, bucket) = with_bucket().await;
    let film = |key: &str| json!({ "source": { "bucket": bucket, "key": key } }).to_string();
    let named =
        json!({ "source": { "bucket": bucket, "key": "in/film.mp4" }, "options": { "external_id": "b" } });
    let lines = [
        film("in/film.mp4"),
        String::new(),
        named.to_string(),
        film("out/film.mp4"),
        "{\"source\":".to_owned(),
        film("in/nothing.mp4"),
    ];
    let query = "?name=spring&options=%7B%22stages%22:%5B%22scale%22%5D%7D";
    let (status, batch) = rig.batch("application/x-ndjson", query, lines.join("\n")).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{batch}");
    assert_eq!(
        (
            &batch["name"],
            &batch["total"],
            &batch["rejected"],
            &batch["complete"]
        ),
        (&json!("spring"), &json!(5), &json!(2), &json!(true))
    );
    let errors: Vec<_> = batch["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it["index"], &it["code"]))
        .collect();
    assert_eq!(
        errors,
        [
            (&json!(2), &json!("source_not_allowed")),
            (&json!(3), &json!("invalid_request"))
        ]
    );
    let id = batch["id"].as_str().unwrap();
    until(async || {
        let jobs = &rig.get_batch(id).await["jobs"];
        (&jobs["queued"], &jobs["failed"]) == (&json!(2), &json!(1))
    })
    .await;
    let jobs = rig.list(&format!("?batch_id={id}")).await;
    assert_eq!(jobs.len(), 3);
    for job in &jobs {
        assert_eq!(job["lane"], "batch");
        assert!(job["stages"].as_object().unwrap().keys().eq(["scale"]), "{job}");
    }
    assert_eq!(rig.list("?external_id=b").await.len(), 1);
    until(async || rig.queue.depth(Stage::Scale, Lane::Batch).await.unwrap() == 2).await;

    // Actions on the whole batch: cancel its running jobs, then retry the failed one.
    assert_eq!(rig.act(id, "cancel").await, StatusCode::ACCEPTED);
    until(async || rig.get_batch(id).await["jobs"]["cancelled"] == 2).await;
    until(async || rig.get_batch(id).await["action"].is_null()).await;
    assert_eq!(rig.queue.depth(Stage::Scale, Lane::Batch).await.unwrap(), 0);
    put(
        &rig,
        &rig.store.beside(&bucket),
        "in/nothing.mp4",
        b"a film at last",
    )
    .await;
    assert_eq!(rig.act(id, "retry").await, StatusCode::ACCEPTED);
    until(async || rig.get_batch(id).await["jobs"]["queued"] == 3).await;
    until(async || rig.get_batch(id).await["action"].is_null()).await;
}

#[tokio::test]
async fn what_fails_again_is_left_and_a_dead_process_is_followed() {
    let (mut rig, bucket) = with_bucket().await;
    let items = vec![json!({ "source": { "bucket": bucket, "key": "in/film.mp4" } }); 2];
    let body = json!({ "options": { "stages": ["scale"] }, "items": items });
    let (status, batch) = rig.batch("application/json", "", body.to_string()).await;
    assert_eq!((status, &batch["total"]), (StatusCode::ACCEPTED, &json!(2)));
    let id = batch["id"].as_str().unwrap().to_owned();
    let fail = async |rig: &Rig| {
        for _ in 0..2 {
            let task = rig.pull_from(Stage::Scale, Lane::Batch).await;
            let detail = "it is damaged".to_owned();
            rig.answer(
                &task,
                Outcome::Failed {
                    code: FailureCode::DamagedMedia,
                    detail,
                },
            )
            .await;
        }
        until(async || rig.get_batch(&id).await["jobs"]["failed"] == 2).await;
    };
    fail(&rig).await;
    assert_eq!(rig.act(&id, "retry").await, StatusCode::ACCEPTED);
    rig.kill_api();
    rig.start_api().await;
    fail(&rig).await;
    let done = async || rig.get_batch(&id).await;
    until(async || done().await["action"].is_null()).await;
    assert_eq!(done().await["seconds_left"], 0.0);
}

/// The sweeper claims ended jobs to tidy up, and a claim counts as an update of the document.
#[tokio::test]
async fn a_retry_reaches_jobs_that_the_sweeper_has_touched_since() {
    let (mut rig, bucket) = with_bucket().await;
    let items = vec![json!({ "source": { "bucket": bucket, "key": "in/film.mp4" } }); 2];
    let body = json!({ "options": { "stages": ["scale"] }, "items": items });
    let (_, batch) = rig.batch("application/json", "", body.to_string()).await;
    let id = batch["id"].as_str().unwrap().to_owned();
    until(async || rig.get_batch(&id).await["jobs"]["queued"] == 2).await;
    assert_eq!(rig.act(&id, "cancel").await, StatusCode::ACCEPTED);
    until(async || rig.get_batch(&id).await["action"].is_null()).await;
    rig.kill_api();
    let (now, later) = (DateTime::now(), after(Duration::from_secs(60)));
    let retry = doc! { "kind": "retry", "at": now, "next_at": now };
    rig.stored("batches", Some(doc! { "$set": { "action": retry } }))
        .await;
    rig.stored("jobs", Some(doc! { "$set": { "updated_at": later } }))
        .await;
    rig.start_api().await;
    until(async || rig.get_batch(&id).await["jobs"]["queued"] == 2).await;
}

#[tokio::test]
async fn a_retry_leaves_jobs_that_were_retried_too_often() {
    let (rig, bucket) = with_bucket_and(&[("VIDP_RETRIES_PER_DAY", "1".to_owned())]).await;
    let items = vec![json!({ "source": { "bucket": bucket, "key": "in/film.mp4" } }); 3];
    let body = json!({ "options": { "stages": ["scale"] }, "items": items });
    let (_, batch) = rig.batch("application/json", "", body.to_string()).await;
    let id = batch["id"].as_str().unwrap().to_owned();
    let act = async |action: &str, status: &str| {
        assert_eq!(rig.act(&id, action).await, StatusCode::ACCEPTED);
        until(async || rig.get_batch(&id).await["action"].is_null()).await;
        until(async || rig.get_batch(&id).await["jobs"][status] == 3).await;
    };
    until(async || rig.get_batch(&id).await["jobs"]["queued"] == 3).await;
    act("cancel", "cancelled").await;
    act("retry", "queued").await;
    act("cancel", "cancelled").await;
    // The action ends, although it changes nothing.
    act("retry", "cancelled").await;
}

#[tokio::test]
async fn bad_batches_get_clear_problems() {
    let (rig, _) = with_bucket().await;
    for (kind, query, body, status, part) in [
        ("text/plain", "", "{}", 415, "application/x-ndjson"),
        ("application/json", "", "{\"items\":3}", 400, "sequence"),
        (
            "application/json",
            "",
            "{\"items\":[],\"option\":{}}",
            400,
            "option",
        ),
        (
            "application/json",
            "",
            "{\"items\":[],\"options\":{\"stage\":[]}}",
            400,
            "stage",
        ),
        ("application/x-ndjson", "?options=3", "", 400, "options"),
        ("application/x-ndjson", "?nam=a", "", 400, "nam"),
    ] {
        let (got, problem) = rig.batch(kind, query, body.to_owned()).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            got.as_u16() == status && detail.contains(part),
            "{body}: {problem}"
        );
    }
}

#[tokio::test]
async fn an_upload_during_a_large_batch_is_queued_at_once() {
    let (rig, bucket) = with_bucket().await;
    let line = json!({ "source": { "bucket": bucket, "key": "in/film.mp4" } }).to_string() + "\n";
    let query = "?options=%7B%22stages%22:%5B%22scale%22%5D%7D";
    let begun = Instant::now();
    let (status, batch) = rig.batch("application/x-ndjson", query, line.repeat(1000)).await;
    assert_eq!((status, &batch["total"]), (StatusCode::ACCEPTED, &json!(1000)));
    let made = begun.elapsed();
    until(async || rig.queue.depth(Stage::Scale, Lane::Batch).await.unwrap() > 0).await;
    let begun = Instant::now();
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let task = rig.pull(Stage::Scale).await.task;
    let waited = begun.elapsed();
    assert_eq!(task.job_id.to_string(), job["id"].as_str().unwrap());
    let jobs = &rig.get_batch(batch["id"].as_str().unwrap()).await["jobs"];
    println!("1000 items stored in {made:?}; an upload was with a worker after {waited:?}; {jobs}");
    assert!(
        jobs["uploading"].as_u64().unwrap() > 100,
        "the batch had ended already: {jobs}"
    );
    assert!(waited < Duration::from_secs(3), "{waited:?}");
}

#[tokio::test]
async fn a_batch_that_is_sent_again_makes_nothing_again() {
    let (rig, bucket) = with_bucket().await;
    let line = |i: usize| {
        let options = json!({ "stages": ["scale"], "external_id": format!("{i}") });
        let item = json!({ "source": { "bucket": bucket, "key": "in/film.mp4" }, "options": options });
        format!("{item}\n")
    };
    let lines: Vec<_> = (0..450).map(line).collect();
    // The client dies in the middle of the body: the first two hundred items are stored, and the rest is not.
    let half = format!(
        "POST /api/v1/batches HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
         idempotency-key: films\r\ncontent-length: {}\r\n\r\n{}",
        lines.concat().len(),
        lines[..300].concat()
    );
    let mut client = TcpStream::connect(rig.url.trim_start_matches("http://"))
        .await
        .unwrap();
    client.write_all(half.as_bytes()).await.unwrap();
    let newest = async || -> Value {
        let url = format!("{}?limit=2", rig.jobs_url());
        rig.http.get(url).send().await.unwrap().json().await.unwrap()
    };
    until(async || newest().await["data"][0]["external_id"] == "199").await;
    drop(client);
    let id = newest().await["data"][0]["batch_id"].as_str().unwrap().to_owned();
    let count = async || -> u64 {
        let jobs = rig.get_batch(&id).await["jobs"].take();
        jobs.as_object().unwrap().values().filter_map(Value::as_u64).sum()
    };
    assert_eq!(count().await, 200);

    let (status, replayed, batch) = rig.keyed_batch("films", lines.concat()).await;
    assert_eq!((status, replayed), (StatusCode::ACCEPTED, false), "{batch}");
    assert_eq!(
        (&batch["total"], &batch["rejected"], &batch["complete"]),
        (&json!(450), &json!(0), &json!(true))
    );
    assert_eq!(batch["id"], id);
    assert_eq!(count().await, 450);
    let (status, replayed, again) = rig.keyed_batch("films", lines.concat()).await;
    assert_eq!(
        (status, replayed, &again["id"]),
        (StatusCode::ACCEPTED, true, &batch["id"])
    );
    assert_eq!(count().await, 450);
    let (status, _, other) = rig.keyed_batch("films", lines[..1].concat()).await;
    assert_eq!(
        (status, &other["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused"))
    );
    // The jobs are in the order of their items.
    let newest = newest().await;
    assert_eq!(
        (
            &newest["data"][0]["external_id"],
            &newest["data"][1]["external_id"]
        ),
        (&json!("449"), &json!("448"))
    );
}
