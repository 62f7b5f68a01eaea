//! Results that MongoDB cannot hold: each ends its stage once, and delays no other result.

use super::dead_letters::{list, redrive};
use crate::{
    harness::{Guarded, Pulled, Rig, until},
    jobs::results_pending,
};
use bson::{Document, doc};
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;
use vidp_contract::{Codec, Outcome, OutputFile, Stage, Success, TaskResult, keys, streams};
use vidp_record::db::Db;

/// Results in the flood.
const FLOOD: usize = 1000;
/// Time in which the job of another tenant must end beside the flood.
const FLOOD_LIMIT: Duration = Duration::from_secs(5);

/// A success with a number in its report that BSON cannot hold.
fn poisoned(pulled: &Pulled) -> TaskResult {
    let report = json!({ "bytes_read": u64::MAX });
    pulled.result(Outcome::Succeeded(Success {
        outputs: Vec::new(),
        report: report.as_object().unwrap().clone(),
    }))
}

/// Waits until the job has failed and its result is a dead letter; then nothing may be waiting or repeated.
async fn check_ends_once(rig: &Rig, id: &str) -> Value {
    let job = rig.until_job(id, |job| job["status"] == "failed").await;
    assert_eq!(job["stages"]["scale"]["error"]["code"], "internal", "{job}");
    until(async || list(rig).await.len() == 1).await;
    until(async || results_pending(rig).await == 0).await;
    let letter = list(rig).await.remove(0);
    assert_eq!(redrive(rig, &letter).await, StatusCode::CONFLICT);
    letter
}

#[tokio::test]
async fn a_result_that_cannot_be_stored_ends_its_stage_once() {
    let rig = Rig::without_sweeper().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let pulled = rig.pull(Stage::Scale).await;
    rig.publish(&poisoned(&pulled)).await;
    let id = job["id"].as_str().unwrap();
    let letter = check_ends_once(&rig, id).await;
    assert_eq!(letter["deliveries"], 1, "{letter}");
    assert_eq!(letter["job_id"], id);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_stored_ends_its_stage_once() {
    let rig = Rig::new().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let pulled = rig.pull(Stage::Scale).await;
    let manifest = keys::manifest(&pulled.task.output_prefix);
    let bytes = serde_json::to_vec(&poisoned(&pulled)).unwrap();
    rig.store.put_if_absent(&manifest, bytes).await.unwrap();
    // The result is lost, and the sweeper finds the manifest.
    pulled.message.ack().await.unwrap();
    check_ends_once(&rig, job["id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_manifest_that_names_foreign_objects_is_not_applied() {
    let rig = Rig::new().await;
    let victim = rig.submit(&json!({ "stages": ["scale"] })).await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let _other = rig.pull(Stage::Scale).await;
    let pulled = rig.pull(Stage::Scale).await;
    assert_eq!(job["id"], json!(pulled.task.job_id));
    let file = OutputFile::rendition(720, Codec::H264);
    let mut output = rig.output(&pulled, &file, b"0123456789").await;
    output.key = keys::source(victim["id"].as_str().unwrap().parse().unwrap());
    let result = pulled.result(Outcome::Succeeded(Success {
        outputs: vec![output],
        ..Success::default()
    }));
    let manifest = keys::manifest(&pulled.task.output_prefix);
    let bytes = serde_json::to_vec(&result).unwrap();
    rig.store.put_if_absent(&manifest, bytes).await.unwrap();
    pulled.message.ack().await.unwrap();
    check_ends_once(&rig, job["id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_result_that_makes_the_document_too_large_ends_its_stage_once() {
    let rig = Rig::without_sweeper().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let pulled = rig.pull(Stage::Scale).await;
    let name = rig.setting("VIDP_MONGODB_DATABASE");
    let db = Db::connect(rig.setting("VIDP_MONGODB_URL"), name).await.unwrap();
    let jobs = db.jobs().clone_with_type::<Document>();
    // MongoDB's limit is 16 MiB.
    let pad = "x".repeat((16 << 20) - (200 << 10));
    let set = doc! { "$set": { "request_hash": pad } };
    // A busy server with a small cache refuses such a document at first.
    until(async || jobs.update_one(doc! { "_id": id }, set.clone()).await.is_ok()).await;
    let report = json!({ "text": "x".repeat(240 << 10) });
    let success = Success {
        outputs: Vec::new(),
        report: report.as_object().unwrap().clone(),
    };
    rig.publish(&pulled.result(Outcome::Succeeded(success))).await;
    check_failed_and_buried(&rig, id).await;
}

/// As [`check_ends_once`] for a result that is itself within bounds.
async fn check_failed_and_buried(rig: &Rig, id: &str) {
    let job = rig.until_job(id, |job| job["status"] == "failed").await;
    assert_eq!(job["stages"]["scale"]["error"]["code"], "internal");
    until(async || list(rig).await.len() == 1 && results_pending(rig).await == 0).await;
}

#[tokio::test]
async fn a_thousand_poisoned_results_delay_no_other() {
    let guarded = Guarded::with(&[("VIDP_STALE_SECONDS", "600".to_owned())]).await;
    let scopes = ["jobs:read", "jobs:write"];
    let attacker = guarded.key("mallory", &scopes).await;
    let other = guarded.key("acme", &scopes).await;
    let rig = guarded.rig.with_key(&attacker);
    rig.submit(&json!({ "stages": ["scale"] })).await;
    let first = rig.pull(Stage::Scale).await;
    let rig = rig.with_key(&other);
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let pulled = rig.pull(Stage::Scale).await;
    let flood: Vec<_> = (0..FLOOD)
        .map(|_| TaskResult {
            task_id: Uuid::now_v7(),
            ..poisoned(&first)
        })
        .collect();
    join_all(flood.iter().map(|result| rig.publish(result))).await;
    let started = Instant::now();
    rig.succeed(&pulled, json!({})).await;
    rig.until_job(job["id"].as_str().unwrap(), |job| job["status"] == "succeeded")
        .await;
    let took = started.elapsed();
    println!("the job ended {took:?} after {FLOOD} poisoned results");
    assert!(took < FLOOD_LIMIT, "{took:?}");
    until(async || results_pending(&rig).await == 0).await;
    let dead = rig.queue.metrics().await.unwrap().streams[streams::DEAD].messages;
    assert_eq!(dead, FLOOD as u64);
}
