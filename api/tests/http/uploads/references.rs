//! Jobs by reference: the server fetches the source from another bucket or from the web.

use crate::harness::{Rig, until};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;
use vidp_common::store::Store;
use vidp_contract::{Stage, keys};

const FILM: &[u8] = b"a film of another bucket";

/// An API that accepts references, and another bucket with a film at `local/film.mp4`.
async fn with_films(more: &[(&'static str, String)]) -> (Rig, Store, String) {
    let bucket = format!("films-{}", Uuid::now_v7().simple());
    let allowed = format!("{bucket}/{{tenant}}/");
    let rig = Rig::with(&[&[("VIDP_SOURCE_BUCKETS", allowed)], more].concat()).await;
    let films = rig.store.beside(&bucket);
    films.ensure_bucket().await.unwrap();
    put(&rig, &films, "local/film.mp4", FILM).await;
    (rig, films, bucket)
}

pub(crate) async fn put(rig: &Rig, store: &Store, key: &str, bytes: &[u8]) {
    let path = rig.folder.path().join("source");
    std::fs::write(&path, bytes).unwrap();
    store.upload(key, &path, "video/mp4").await.unwrap();
}

impl Rig {
    async fn refer(&self, body: &Value) -> (StatusCode, Value) {
        let answer = self.http.post(self.jobs_url()).json(body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Creates a job with the stage `scale` only, and returns its id.
    async fn refer_to(&self, source: Value) -> String {
        let body = json!({ "source": source, "options": { "stages": ["scale"] } });
        let (status, job) = self.refer(&body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{job}");
        job["id"].as_str().unwrap().to_owned()
    }

    /// The code with which the job's stage failed.
    async fn failure(&self, id: &str) -> String {
        let job = self.until_job(id, |job| job["status"] == "failed").await;
        let source = keys::source(id.parse().unwrap());
        until(async || self.store.size(&source).await.unwrap().is_none()).await;
        assert!(self.store.open_multiparts(&source).await.unwrap().is_empty());
        job["stages"]["scale"]["error"]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

#[tokio::test]
async fn an_object_of_an_allowed_prefix_becomes_a_job() {
    let (rig, films, bucket) = with_films(&[]).await;
    let source = json!({ "bucket": bucket, "key": "local/film.mp4" });
    let id = rig.refer_to(source.clone()).await;
    let task = rig.pull(Stage::Scale).await.task;
    let job = rig.job(&id).await;
    assert_eq!(
        (
            &job["source"]["filename"],
            &job["source"]["reference"],
            &job["source"]["content_type"]
        ),
        (&json!("film.mp4"), &source, &json!("video/mp4"))
    );
    assert_eq!(job["source"]["size"], FILM.len());
    // The job has its own copy, so the original may change.
    films.delete("local/film.mp4").await.unwrap();
    let copy = rig.store.read(&task.source.key).await.unwrap().unwrap();
    assert_eq!(copy, FILM);
    let hash = job["source"]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(task.source.sha256, hash);

    let refused = async |source: Value, more: Value| {
        let mut body = json!({ "source": source });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let (status, problem) = rig.refer(&body).await;
        (
            status.as_u16(),
            problem["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let none = json!({});
    let check = |answer: (u16, String), status, code: &str| assert_eq!(answer, (status, code.to_owned()));
    check(refused(source.clone(), none.clone()).await, 404, "not_found");
    let other_tenant = json!({ "bucket": bucket, "key": "acme/film.mp4" });
    check(
        refused(other_tenant, none.clone()).await,
        403,
        "source_not_allowed",
    );
    let own = json!({ "bucket": rig.store.bucket(), "key": "local/film.mp4" });
    check(refused(own, none.clone()).await, 403, "source_not_allowed");
    let url = json!({ "url": "https://example.com/film.mp4" });
    check(refused(url, none.clone()).await, 403, "source_not_allowed");
    check(refused(json!({ "key": "a" }), none).await, 400, "invalid_request");
    check(
        refused(source.clone(), json!({ "sha256": "abc" })).await,
        400,
        "invalid_request",
    );
    check(
        refused(source, json!({ "options": { "stage": [] } })).await,
        400,
        "invalid_request",
    );

    // The file differs from the announced SHA-256.
    put(&rig, &films, "local/film.mp4", b"another film").await;
    let body = json!({
        "source": { "bucket": bucket, "key": "local/film.mp4" },
        "sha256": hash,
        "options": { "stages": ["scale"] },
    });
    let (_, job) = rig.refer(&body).await;
    assert_eq!(rig.failure(job["id"].as_str().unwrap()).await, "source_corrupt");
    // After the file is corrected, the job can be retried.
    put(&rig, &films, "local/film.mp4", FILM).await;
    let id = job["id"].as_str().unwrap();
    assert_eq!(rig.post(id, "retry").await.status(), StatusCode::ACCEPTED);
    rig.until_job(id, |job| job["status"] == "queued").await;
}

#[tokio::test]
async fn the_same_request_by_reference_makes_one_job() {
    let (rig, _, bucket) = with_films(&[]).await;
    let send = async |stage: &str| {
        let body = json!({ "source": { "bucket": bucket, "key": "local/film.mp4" }, "options": { "stages": [stage] } });
        let request = rig
            .http
            .post(rig.jobs_url())
            .header("idempotency-key", "\"film\"");
        let answer = request.json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap()["id"].clone())
    };
    let (first, again, other) = (send("scale").await, send("scale").await, send("detect").await);
    assert_eq!((first.0, again.0, other.0), (202, 202, 422));
    assert_eq!(first.1, again.1);
}

/// A web server with films that arrive slowly, end early, are too large, or redirect.
#[derive(Clone, Default)]
struct Web {
    asked: Arc<AtomicU32>,
}

impl Web {
    async fn start(&self) -> String {
        let routes = Router::new()
            .route("/film.mp4", get(async || FILM))
            .route("/breaks.mp4", get(Web::breaks))
            .route("/slow.mp4", get(Web::slow))
            .route("/gone.mp4", get(async || StatusCode::GONE))
            .route("/moved.mp4", get(async || Redirect::temporary("/unreferred.mp4")))
            .route("/unreferred.mp4", get(Web::unreferred))
            .route("/huge.mp4", get(async || vec![0; 13_000_000]))
            .route("/empty.mp4", get(async || ""))
            .route(
                "/inside.mp4",
                get(async || Redirect::temporary("http://169.254.169.254/latest")),
            )
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    /// The first response ends early.
    async fn breaks(State(web): State<Web>) -> Response {
        if web.asked.fetch_add(1, Ordering::Relaxed) > 0 {
            return FILM.into_response();
        }
        let pieces = [
            Ok(Bytes::from_static(&FILM[..5])),
            Err(std::io::Error::other("cut")),
        ];
        let body = Body::from_stream(stream::iter(pieces));
        ([(header::CONTENT_LENGTH, FILM.len().to_string())], body).into_response()
    }

    /// Refuses a request that names the page before it.
    async fn unreferred(headers: HeaderMap) -> Response {
        match headers.contains_key(header::REFERER) {
            true => StatusCode::FORBIDDEN.into_response(),
            false => FILM.into_response(),
        }
    }

    /// Six pieces of a megabyte, a second apart; the second time all at once.
    async fn slow(State(web): State<Web>) -> Body {
        let pause = match web.asked.fetch_add(1, Ordering::Relaxed) {
            0 => Duration::from_secs(1),
            _ => Duration::ZERO,
        };
        Body::from_stream(stream::iter(0..6).then(move |number| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![number; 1_000_000]))
        }))
    }
}

fn web_settings() -> [(&'static str, String); 2] {
    [
        ("VIDP_FETCH_URLS", "true".to_owned()),
        ("VIDP_OUTBOUND_ALLOW", "127.0.0.1/32".to_owned()),
    ]
}

#[tokio::test]
async fn a_url_becomes_a_job_and_leads_nowhere_else() {
    let rig = Rig::with(&web_settings()).await;
    let web = Web::default();
    let server = web.start().await;
    let of = |name: &str| json!({ "url": format!("{server}/{name}?token=secret") });
    let id = rig.refer_to(of("film.mp4")).await;
    let job = rig.until_job(&id, |job| job["status"] == "queued").await;
    assert_eq!(
        (&job["source"]["filename"], &job["source"]["size"]),
        (&json!("film.mp4"), &json!(FILM.len()))
    );
    // The query may hold a secret.
    assert_eq!(
        job["source"]["reference"],
        json!({ "url": format!("{server}/film.mp4") })
    );
    // The target of a redirect does not learn the query, which may hold a signature.
    let id = rig.refer_to(of("moved.mp4")).await;
    rig.until_job(&id, |job| job["status"] == "queued").await;
    // A transfer that ends early is retried.
    let id = rig.refer_to(of("breaks.mp4")).await;
    let job = rig.until_job(&id, |job| job["status"] == "queued").await;
    assert_eq!(
        (web.asked.load(Ordering::Relaxed), &job["source"]["size"]),
        (2, &json!(FILM.len()))
    );

    for (name, code) in [
        ("gone.mp4", "source_missing"),
        ("huge.mp4", "media_too_large"),
        ("empty.mp4", "unsupported_media"),
        ("inside.mp4", "source_missing"),
    ] {
        let id = rig.refer_to(of(name)).await;
        assert_eq!(rig.failure(&id).await, code, "{name}");
    }
    for url in [
        "https://10.0.0.1/a.mp4",
        "http://example.com/a.mp4",
        "https://u:p@example.com/a",
        "ftp://example.com/a",
    ] {
        let (status, problem) = rig.refer(&json!({ "source": { "url": url } })).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (403, &json!("source_not_allowed")),
            "{url}"
        );
    }
}

#[tokio::test]
async fn another_process_goes_on_with_what_a_dead_one_fetched() {
    let mut rig = Rig::with(&web_settings()).await;
    let web = Web::default();
    let server = web.start().await;
    let id = rig.refer_to(json!({ "url": format!("{server}/slow.mp4") })).await;
    let source = keys::source(id.parse().unwrap());
    until(async || !rig.store.open_multiparts(&source).await.unwrap().is_empty()).await;
    rig.kill_api();
    rig.start_api().await;
    let task = rig.pull(Stage::Scale).await.task;
    let bytes = rig.store.read(&source).await.unwrap().unwrap();
    assert_eq!((task.source.size, bytes.len()), (6_000_000, 6_000_000));
    assert!(
        bytes
            .chunks(1_000_000)
            .enumerate()
            .all(|(number, piece)| piece == vec![number as u8; 1_000_000])
    );
    assert!(rig.store.open_multiparts(&source).await.unwrap().is_empty());
}
