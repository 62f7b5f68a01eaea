use crate::harness::{Rig, own_mongo};
use reqwest::StatusCode;
use serde_json::{Value, json};
use vidp_contract::{Outcome, Stage, Success, keys};
use vidp_engines::{Mongo, Nats, S3, S3User};

async fn check_unavailable(answer: reqwest::Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "unavailable");
}

#[tokio::test]
async fn without_the_broker_uploads_are_accepted_and_run_later() {
    let mut rig = Rig::new().await;
    rig.nats.stop();
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    assert_eq!(job["status"], "queued");
    let ready = rig.http.get(format!("{}/ready", rig.url)).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    let health = rig
        .http
        .get(format!("{}/api/v1/processing/health", rig.url))
        .send()
        .await
        .unwrap();
    let health: Value = health.json().await.unwrap();
    assert_eq!(
        (&health["status"], &health["dependencies"]["nats"]["status"]),
        (&json!("degraded"), &json!("down"))
    );
    // The broker also loses its store. The record has everything.
    std::fs::remove_dir_all(rig.folder.path().join("nats")).unwrap();
    rig.nats = Nats::start(&rig.folder.path().join("nats"), rig.nats.port()).unwrap();
    // The API creates its streams and consumers again.
    rig.ready().await;
    let scale = rig.pull(Stage::Scale).await;
    rig.succeed(&scale, json!({})).await;
    rig.until_job(job["id"].as_str().unwrap(), |job| job["status"] == "succeeded")
        .await;
}

#[tokio::test]
async fn a_task_that_the_broker_lost_is_published_again() {
    let rig = Rig::new().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let first = rig.pull(Stage::Scale).await;
    rig.queue
        .remove_task(Stage::Scale, vidp_contract::Lane::Interactive, first.task.task_id)
        .await
        .unwrap();
    let again = rig.pull(Stage::Scale).await;
    assert_eq!(again.task, first.task);
    // Now only the result is lost; the manifest has it.
    let result = again.result(Outcome::Succeeded(Success::default()));
    let manifest = keys::manifest(&again.task.output_prefix);
    rig.store
        .put_if_absent(&manifest, serde_json::to_vec(&result).unwrap())
        .await
        .unwrap();
    again.message.ack().await.unwrap();
    rig.until_job(job["id"].as_str().unwrap(), |job| job["status"] == "succeeded")
        .await;
}

#[tokio::test]
async fn without_the_database_requests_are_refused_politely() {
    let folder = tempfile::tempdir().unwrap();
    let mut mongo = own_mongo(folder.path());
    let mut rig = Rig::with(&[("VIDP_MONGODB_URL", mongo.url())]).await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let url = format!("{}/{}", rig.jobs_url(), job["id"].as_str().unwrap());
    mongo.stop();
    check_unavailable(rig.http.get(&url).send().await.unwrap()).await;
    check_unavailable(rig.post_form(&json!({}), b"x".to_vec()).await).await;
    let ready = rig.http.get(format!("{}/ready", rig.url)).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health = rig.http.get(format!("{}/health", rig.url)).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    // The stage ends meanwhile; its result waits in the stream.
    let scale = rig.pull(Stage::Scale).await;
    rig.succeed(&scale, json!({})).await;
    let _mongo = Mongo::start(&folder.path().join("mongo"), mongo.port()).unwrap();
    rig.ready().await;
    rig.until_job(job["id"].as_str().unwrap(), |job| job["status"] == "succeeded")
        .await;
    assert!(rig.api_is_running());
}

#[tokio::test]
async fn without_the_store_uploads_are_refused_politely() {
    let folder = tempfile::tempdir().unwrap();
    let mut s3 = S3::start(&folder.path().join("s3"), 0).unwrap();
    let key = s3.key(S3User::Api).clone();
    let keys = [
        ("VIDP_S3_ENDPOINT", s3.endpoint()),
        ("VIDP_S3_ACCESS_KEY", key.access_key),
        ("VIDP_S3_SECRET_KEY", key.secret_key),
    ];
    let mut rig = Rig::with(&keys).await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    s3.stop();
    check_unavailable(rig.post_form(&json!({}), b"x".to_vec()).await).await;
    // Polls do not need the store.
    rig.job(job["id"].as_str().unwrap()).await;
    assert!(rig.api_is_running());
    s3.restart().unwrap();
    rig.ready().await;
    assert_eq!(
        rig.post_form(&json!({}), b"x".to_vec()).await.status(),
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn sigterm_ends_the_api_in_order() {
    let mut rig = Rig::new().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let poll = rig
        .http
        .get(format!(
            "{}/{}?wait=20",
            rig.jobs_url(),
            job["id"].as_str().unwrap()
        ))
        .send();
    let poll = tokio::spawn(poll);
    assert_eq!(rig.stop_api(), Some(0));
    // A long poll is answered before the process exits.
    if let Ok(answer) = poll.await.unwrap() {
        assert_eq!(answer.status(), StatusCode::OK);
    }
    rig.start_api().await;
    assert_eq!(rig.job(job["id"].as_str().unwrap()).await["id"], job["id"]);
}
