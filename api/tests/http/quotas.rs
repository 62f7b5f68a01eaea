//! Quotas of a tenant: each byte counts that it stores or has announced. Announced bytes are never sent here.

use crate::harness::{Guarded, Rig, until};
use axum::{Router, body::Body, routing::get};
use futures_util::stream;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;
use vidp_contract::{JobOptions, Output, Stage};
use vidp_record::{
    db::Db,
    job::{Job, JobStatus},
    resumable::{Kind, Resumable, UploadState},
    time::{DateTime, after},
};

/// More than half of the limit of 1 GB.
const LARGE: u64 = 600_000_000;
const BOTH: [&str; 2] = ["jobs:read", "jobs:write"];

async fn guarded(more: &[(&'static str, String)]) -> Guarded {
    let large = [
        ("VIDP_MAX_UPLOAD_MB", "2000".to_owned()),
        // The tests are silent for seconds.
        ("VIDP_STALE_SECONDS", "8".to_owned()),
    ];
    Guarded::with(&[&large, more].concat()).await
}

fn limit(name: &'static str) -> [(&'static str, String); 1] {
    [(name, "1".to_owned())]
}

/// Announces an upload straight to the store, at the replica `url`. Returns the status, and the problem's code.
async fn announce(rig: &Rig, url: &str, key: &str, size: u64) -> (StatusCode, Value) {
    let request = rig.http.post(format!("{url}/api/v1/uploads")).bearer_auth(key);
    let answer = request.json(&json!({ "filename": "a.mp4", "size": size }));
    let answer = answer.send().await.unwrap();
    let status = answer.status();
    (status, answer.json::<Value>().await.unwrap()["code"].clone())
}

fn refused() -> (StatusCode, Value) {
    (StatusCode::TOO_MANY_REQUESTS, json!("quota_exceeded"))
}

/// The newest job of a key's tenant.
async fn newest(rig: &Rig, key: &str) -> Value {
    let answer = rig
        .http
        .get(rig.jobs_url())
        .bearer_auth(key)
        .send()
        .await
        .unwrap();
    answer.json::<Value>().await.unwrap()["data"][0].clone()
}

/// Begins an upload whose body never ends.
async fn begin(rig: &Rig, key: &str, length: &str) -> TcpStream {
    let mut stream = TcpStream::connect(rig.url.trim_start_matches("http://"))
        .await
        .unwrap();
    let head = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nhost: vidp\r\nauthorization: Bearer {key}\r\ncontent-type: video/mp4\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn database(rig: &Rig) -> Db {
    let name = rig.setting("VIDP_MONGODB_DATABASE");
    Db::connect(rig.setting("VIDP_MONGODB_URL"), name).await.unwrap()
}

#[tokio::test]
async fn announced_bytes_count_in_every_way_to_upload() {
    let guarded = guarded(&limit("VIDP_OPEN_GB_PER_TENANT")).await;
    let rig = &guarded.rig;
    // Another replica knows only what the record has.
    let other = rig.replica().await;
    let is_full = async |key: &str| {
        assert_eq!(announce(rig, &rig.url, key, LARGE).await, refused());
        assert_eq!(announce(rig, &other.url, key, LARGE).await, refused());
        assert_eq!(announce(rig, &other.url, key, 1000).await.0, StatusCode::CREATED);
    };

    let direct = guarded.key("direct", &BOTH).await;
    assert_eq!(
        announce(rig, &rig.url, &direct, LARGE).await.0,
        StatusCode::CREATED
    );
    is_full(&direct).await;

    let tus = guarded.key("tus", &BOTH).await;
    let request = rig.http.post(format!("{}/files", rig.url)).bearer_auth(&tus);
    let request = request
        .header("tus-resumable", "1.0.0")
        .header("upload-length", LARGE);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
    is_full(&tus).await;

    let form = guarded.key("form", &BOTH).await;
    let _open = begin(rig, &form, &format!("content-length: {LARGE}")).await;
    until(async || newest(rig, &form).await["source"]["size"] == LARGE).await;
    is_full(&form).await;

    // The size of chunks is known only as they arrive.
    let chunks = guarded.key("chunks", &BOTH).await;
    let mut open = begin(rig, &chunks, "transfer-encoding: chunked").await;
    let chunk = [&b"186a0\r\n"[..], &[7; 100_000], b"\r\n"].concat();
    open.write_all(&chunk).await.unwrap();
    until(async || newest(rig, &chunks).await["source"]["size"] == 100_000).await;
    assert_eq!(announce(rig, &other.url, &chunks, 999_950_000).await, refused());
}

#[tokio::test]
async fn stored_bytes_count_until_they_are_deleted() {
    let guarded = guarded(&limit("VIDP_STORED_GB_PER_TENANT")).await;
    let (rig, db) = (&guarded.rig, database(&guarded.rig).await);
    let now = DateTime::now();

    // An ended job: half of its bytes are an output.
    let key = guarded.key("films", &BOTH).await;
    let options: JobOptions = serde_json::from_value(json!({ "stages": ["scale"] })).unwrap();
    let (name, kind) = ("a.mp4".to_owned(), "video/mp4".to_owned());
    let mut job = Job::uploading(
        Uuid::now_v7(),
        "films".to_owned(),
        options.clone(),
        name,
        kind,
        now,
    );
    job.status = JobStatus::Succeeded;
    job.expires_at = Some(after(std::time::Duration::from_secs(3600)));
    job.source.sha256 = "0".repeat(64);
    job.source.size = (LARGE / 2).cast_signed();
    job.stages.get_mut(&Stage::Scale).unwrap().outputs.push(Output {
        name: "144p.mp4".to_owned(),
        key: String::new(),
        size: LARGE / 2,
        sha256: String::new(),
        content_type: String::new(),
    });
    #[expect(clippy::disallowed_methods, reason = "the job has no consequences")]
    db.insert(&job).await.unwrap();
    assert_eq!(announce(rig, &rig.url, &key, LARGE).await, refused());
    let url = format!("{}/{}", rig.jobs_url(), job.id);
    let deleted = rig.http.delete(url).bearer_auth(&key).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let other = rig.replica().await;
    assert_eq!(
        announce(rig, &other.url, &key, LARGE).await.0,
        StatusCode::CREATED
    );

    // A partial upload that is finished and waits for its final upload.
    let key = guarded.key("parts", &BOTH).await;
    let partial = Resumable {
        id: Uuid::now_v7(),
        tenant: "parts".to_owned(),
        key_id: None,
        kind: Kind::Partial,
        state: UploadState::Done,
        size: LARGE.cast_signed(),
        offset: LARGE.cast_signed(),
        part_size: 5 << 20,
        upload_id: "1".to_owned(),
        hashes: Vec::new(),
        tail_sha256: None,
        claim: 0,
        metadata: String::new(),
        filename: String::new(),
        content_type: String::new(),
        wanted_sha256: None,
        options,
        created_at: now,
        expires_at: after(std::time::Duration::from_secs(3600)),
        finish_at: None,
    };
    db.insert_resumable(&partial).await.unwrap();
    assert_eq!(announce(rig, &rig.url, &key, LARGE).await, refused());
}

#[tokio::test]
async fn a_batch_is_checked_as_it_grows() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let guarded = guarded(&[
        ("VIDP_OPEN_JOBS_PER_TENANT", "300".to_owned()),
        ("VIDP_FETCH_URLS", "true".to_owned()),
        ("VIDP_OUTBOUND_ALLOW", "127.0.0.0/8".to_owned()),
    ])
    .await;
    let (rig, key) = (&guarded.rig, guarded.key("films", &BOTH).await);
    let url = format!("http://{}/a.mp4", silent.local_addr().unwrap());
    let line = format!("{}\n", json!({ "source": { "url": url } }));
    let request = rig
        .http
        .post(format!("{}/api/v1/batches", rig.url))
        .bearer_auth(&key);
    let request = request
        .header("content-type", "application/x-ndjson")
        .body(line.repeat(700));
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((status, problem["code"].clone()), refused(), "{problem}");
    let db = database(rig).await;
    assert_eq!(db.open("films").await.unwrap().jobs, 200);
}

#[tokio::test]
async fn a_reference_counts_when_its_size_is_known() {
    let source = |length: u64| {
        let answer = move || async move {
            let body = Body::from_stream(stream::pending::<Result<Vec<u8>, String>>());
            ([("content-length", length.to_string())], body)
        };
        get(answer)
    };
    let films = Router::new()
        .route("/fits.mp4", source(LARGE))
        .route("/large.mp4", source(1_500_000_000));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, films).await });
    let settings = [
        ("VIDP_FETCH_URLS", "true".to_owned()),
        ("VIDP_OUTBOUND_ALLOW", "127.0.0.0/8".to_owned()),
    ];
    let guarded = guarded(&[&limit("VIDP_STORED_GB_PER_TENANT")[..], &settings].concat()).await;
    let (rig, key) = (&guarded.rig, guarded.key("films", &BOTH).await);
    let refer = async |name: &str| {
        let body = json!({ "source": { "url": format!("http://{address}/{name}") } });
        let request = rig.http.post(rig.jobs_url()).bearer_auth(&key).json(&body);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::ACCEPTED);
    };
    refer("large.mp4").await;
    // It waits for its next try, and has stored nothing.
    let again = "vidp_fetches_total{outcome=\"again\"}";
    until(async || rig.metric(again).await > Some(0.0)).await;
    refer("fits.mp4").await;
    until(async || newest(rig, &key).await["source"]["size"] == LARGE).await;
    let other = rig.replica().await;
    assert_eq!(announce(rig, &other.url, &key, LARGE).await, refused());
}
