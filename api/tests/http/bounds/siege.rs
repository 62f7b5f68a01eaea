//! One tenant uses everything that it may use at the same time: the API stays up and small, and another tenant is served.

use crate::harness::{Guarded, LIMIT, until};
use reqwest::{Client, StatusCode};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use uuid::Uuid;
use vidp_contract::Stage;

const READERS: usize = 500;
const EVENT_STREAMS: usize = 40;
const FLOODS: usize = 8;
/// Largest memory of the API.
const MAX_MEMORY: u64 = 250 << 20;
/// Requests per measurement.
const REQUESTS: usize = 200;
/// A p99 below this counts as undisturbed: the attackers and the test share two cores with the API.
const FLOOR: Duration = Duration::from_millis(250);

/// Sends a request whose answer is not read. The connection stays open, also after a refusal.
async fn hold(address: SocketAddr, key: String, path: String) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: vidp\r\nauthorization: Bearer {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.ok()?;
    Some(stream)
}

/// The 99th percentile of the time that a tenant waits for its job.
async fn p99(client: &Client, url: &str, key: &str) -> Duration {
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let start = Instant::now();
        let answer = client.get(url).bearer_auth(key).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.bytes().await.unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    times[REQUESTS * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenant_cannot_take_the_api() {
    let rig = Guarded::new().await;
    let both = ["jobs:read", "jobs:write"];
    let theirs = rig.key("theirs", &both).await;
    let mut keys = Vec::new();
    for _ in 0..8 {
        keys.push(rig.key("attacker", &both).await);
    }
    let rig = rig.rig.with_key(&keys[0]);
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap().to_owned();
    let task = rig.pull(Stage::Scale).await;
    rig.succeed_with(&task, json!({}), &vec![0; 32 << 20]).await;
    rig.until_job(&id, |job| job["status"] == "succeeded").await;

    let client = Client::new();
    let upload = async || {
        let request = client.post(rig.jobs_url()).bearer_auth(&theirs);
        let request = request.header("content-type", "video/mp4").body("a film");
        request.timeout(LIMIT).send().await.unwrap()
    };
    let before: serde_json::Value = upload().await.json().await.unwrap();
    let url = format!("{}/{}", rig.jobs_url(), before["id"].as_str().unwrap());
    let calm = p99(&client, &url, &theirs).await;

    let address: SocketAddr = rig.url.strip_prefix("http://").unwrap().parse().unwrap();
    let (mut holding, mut floods) = (JoinSet::new(), JoinSet::new());
    for index in 0..READERS + EVENT_STREAMS {
        let path = match index < EVENT_STREAMS {
            true => "/api/v1/events".to_owned(),
            false => format!("/api/v1/jobs/{id}/outputs/scale/720p.mp4"),
        };
        holding.spawn(hold(address, keys[index % keys.len()].clone(), path));
    }
    let failures = Arc::new(AtomicU64::new(0));
    for _ in 0..FLOODS {
        let (failures, client, url) = (failures.clone(), Client::new(), rig.jobs_url());
        floods.spawn(async move {
            loop {
                let key = format!("vidp_{}_{}", Uuid::now_v7().simple(), "0".repeat(48));
                if client.get(&url).bearer_auth(key).send().await.is_ok() {
                    failures.fetch_add(1, Ordering::Relaxed);
                }
                // A thousand failures a second in all.
                tokio::time::sleep(Duration::from_millis(8)).await;
            }
        });
    }
    let held = timeout(LIMIT, holding.join_all())
        .await
        .expect("every connection is answered");
    let held: Vec<_> = held.into_iter().flatten().collect();
    assert_eq!(held.len(), READERS + EVENT_STREAMS);
    until(async || failures.load(Ordering::Relaxed) > 500).await;

    for health in [&rig.url, &rig.probes] {
        let request = client.get(format!("{health}/health"));
        let answer = timeout(Duration::from_secs(5), request.send())
            .await
            .expect("in time");
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    let disturbed = p99(&client, &url, &theirs).await;
    assert_eq!(upload().await.status(), StatusCode::ACCEPTED);
    let memory = rig.peak_memory();
    floods.abort_all();
    println!(
        "p99 {calm:?} before, {disturbed:?} during; {} MB; {} failed keys",
        memory >> 20,
        failures.load(Ordering::Relaxed)
    );
    assert!(memory < MAX_MEMORY, "the API took {} MB", memory >> 20);
    assert!(
        disturbed <= (calm * 2).max(FLOOR),
        "p99 {calm:?}, then {disturbed:?}"
    );
}
