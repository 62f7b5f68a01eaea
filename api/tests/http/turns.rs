//! Tenants take turns: the slow servers of one tenant delay neither the sources nor the messages of others.

use crate::harness::{Guarded, LIMIT, until};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The longest time that a tenant may wait for work that another tenant's servers delay.
const SOON: Duration = Duration::from_secs(5);

/// The web servers of all tenants. They note every request.
#[derive(Clone)]
struct Web {
    asked: Arc<Mutex<Vec<String>>>,
    /// True when `/hold/{name}` may answer.
    open: watch::Sender<bool>,
}

impl Web {
    async fn start() -> (Web, String) {
        let web = Web {
            asked: Arc::default(),
            open: watch::Sender::new(false),
        };
        let routes = Router::new()
            .route("/film/{name}", get(Web::film))
            .route("/drip/{name}", get(Web::drip))
            .route("/hold/{name}", get(Web::hold))
            .route("/hook/{name}", post(Web::film))
            .route("/pit/{name}", post(Web::pit))
            .with_state(web.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (web, url)
    }

    fn note(&self, name: String) {
        self.asked.lock().unwrap().push(name);
    }

    /// The number of requests with a name that starts so.
    fn count(&self, start: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|name| name.starts_with(start)).count()
    }

    async fn film(State(web): State<Web>, Path(name): Path<String>) -> &'static str {
        web.note(name);
        "a film"
    }

    /// One byte a second.
    async fn drip(State(web): State<Web>, Path(name): Path<String>) -> Body {
        web.note(name);
        Body::from_stream(stream::iter(0..1000).then(async |_| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"x"))
        }))
    }

    async fn hold(State(web): State<Web>, Path(name): Path<String>) -> &'static str {
        web.note(name);
        let _ = web.open.subscribe().wait_for(|open| *open).await;
        "a film"
    }

    async fn pit(State(web): State<Web>, Path(name): Path<String>) -> StatusCode {
        web.note(name);
        std::future::pending().await
    }
}

/// A tenant with a key.
struct Tenant {
    http: Client,
    api: String,
}

impl Tenant {
    async fn new(rig: &Guarded, name: &str) -> Tenant {
        let key = rig
            .key(name, &["jobs:read", "jobs:write", "webhooks:write"])
            .await;
        let mut headers = header::HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        Tenant {
            http: Client::builder().default_headers(headers).build().unwrap(),
            api: rig.rig.url.clone(),
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/api/v1/{path}", self.api);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let status = answer.status();
        let answer = answer.json().await.unwrap();
        assert!(status.is_success(), "{answer}");
        answer
    }

    /// Creates a job from a URL, and returns its id.
    async fn refer(&self, url: String) -> String {
        let body = json!({ "source": { "url": url }, "options": { "stages": ["scale"] } });
        self.post("jobs", &body).await["id"].as_str().unwrap().to_owned()
    }

    /// Uploads a film by tus in one request, and returns the job's id.
    async fn upload(&self) -> String {
        let request = self.http.post(format!("{}/files", self.api));
        let request = request
            .header("tus-resumable", "1.0.0")
            .header("upload-length", 6)
            .header("content-type", "application/offset+octet-stream");
        let answer = request.body("a film").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let location = answer.headers()["location"].to_str().unwrap();
        location.rsplit('/').next().unwrap().to_owned()
    }

    /// Waits until the job's source is there, and returns the time that it took.
    async fn until_queued(&self, id: &str) -> Duration {
        let started = Instant::now();
        until(async || {
            let answer = self.http.get(format!("{}/api/v1/jobs/{id}", self.api));
            let job: Value = answer.send().await.unwrap().json().await.unwrap_or_default();
            job["status"] == "queued"
        })
        .await;
        started.elapsed()
    }

    /// Ends a job, so that the tenant's webhooks get a message.
    async fn end_job(&self) {
        let id = self.upload().await;
        self.until_queued(&id).await;
        self.post(&format!("jobs/{id}/cancel"), &json!({})).await;
    }
}

async fn rig(more: &[(&'static str, String)]) -> Guarded {
    let web = [
        ("VIDP_FETCH_URLS", "true".to_owned()),
        ("VIDP_REQUESTS_PER_MINUTE", "0".to_owned()),
        ("VIDP_OUTBOUND_ALLOW", "127.0.0.1/32".to_owned()),
    ];
    Guarded::with(&[&web, more].concat()).await
}

#[tokio::test]
async fn slow_servers_of_one_tenant_delay_neither_uploads_nor_sources_of_others() {
    let rig = rig(&[]).await;
    let (web, server) = Web::start().await;
    let (slow, other) = (Tenant::new(&rig, "a").await, Tenant::new(&rig, "b").await);
    for number in 0..10 {
        slow.refer(format!("{server}/drip/{number}")).await;
    }
    until(async || web.count("") >= 2).await;
    let upload = other.upload().await;
    let waited = other.until_queued(&upload).await;
    assert!(waited < SOON, "an upload of another tenant waited {waited:?}");
    assert_eq!(web.count(""), 2, "a tenant takes half of the four places");
    let own = slow.upload().await;
    let waited = slow.until_queued(&own).await;
    assert!(waited < SOON, "an upload of the same tenant waited {waited:?}");
    let url = other.refer(format!("{server}/film/other")).await;
    let waited = other.until_queued(&url).await;
    assert!(waited < SOON, "a source of another tenant waited {waited:?}");
}

#[tokio::test]
async fn tenants_take_turns_with_their_sources() {
    let rig = rig(&[("VIDP_FETCHES", "1".to_owned())]).await;
    let (web, server) = Web::start().await;
    let (many, one) = (Tenant::new(&rig, "a").await, Tenant::new(&rig, "b").await);
    for number in 0..5 {
        many.refer(format!("{server}/hold/a{number}")).await;
    }
    until(async || web.count("") == 1).await;
    let last = one.refer(format!("{server}/hold/b")).await;
    web.open.send_replace(true);
    one.until_queued(&last).await;
    until(async || web.count("") == 6).await;
    assert_eq!(*web.asked.lock().unwrap(), ["a0", "b", "a1", "a2", "a3", "a4"]);
}

#[tokio::test]
async fn a_source_that_arrives_too_slowly_gives_its_place_back() {
    // The rate of a window is measured when a piece arrives, and a window lasts 30 s.
    let rig = rig(&[("VIDP_FETCHES", "1".to_owned())]).await;
    let (web, server) = Web::start().await;
    let tenant = Tenant::new(&rig, "a").await;
    tenant.refer(format!("{server}/drip/slow")).await;
    until(async || web.count("slow") == 1).await;
    let waiting = tenant.refer(format!("{server}/film/waiting")).await;
    let fetched = async || web.count("waiting") == 1;
    let wait = async {
        while !fetched().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LIMIT + SOON, wait)
        .await
        .expect("the slow source is given up");
    tenant.until_queued(&waiting).await;
}

#[tokio::test]
async fn receivers_that_never_answer_do_not_delay_the_messages_of_others() {
    let rig = rig(&[]).await;
    let (web, server) = Web::start().await;
    let (slow, other) = (Tenant::new(&rig, "a").await, Tenant::new(&rig, "b").await);
    for number in 0..20 {
        let url = format!("{server}/pit/{number}");
        slow.post("webhooks", &json!({ "url": url })).await;
    }
    for _ in 0..4 {
        slow.end_job().await;
    }
    until(async || web.count("") >= 16).await;
    let url = format!("{server}/hook/other");
    other.post("webhooks", &json!({ "url": url })).await;
    other.end_job().await;
    let started = Instant::now();
    until(async || web.count("other") == 1).await;
    let waited = started.elapsed();
    assert!(waited < SOON, "the message waited {waited:?}");
}
