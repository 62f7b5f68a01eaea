//! Prometheus metrics, the health check, and secrets of the sample files.

use crate::harness::{Rig, until};
use reqwest::StatusCode;
use serde_json::json;
use std::process::Command;
use vidp_contract::Stage;

#[tokio::test]
async fn metrics_follow_a_job_and_are_nan_in_an_outage() {
    let mut rig = Rig::new().await;
    for zero in [
        "vidp_jobs_total{status=\"succeeded\"}",
        "vidp_uploads_total{outcome=\"refused\"}",
        "vidp_sweeper_repairs_total{kind=\"lost\"}",
        "vidp_queue_depth{stage=\"scale\",lane=\"interactive\"}",
        "vidp_oldest_waiting_seconds{stage=\"scale\"}",
        "vidp_oldest_job_seconds",
        "vidp_stranded_messages",
        "vidp_dead_messages",
    ] {
        assert_eq!(rig.metric(zero).await, Some(0.0), "{zero}");
    }
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let refused = rig
        .post_form(&json!({ "stages": ["paint"] }), b"bytes".to_vec())
        .await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let depth = "vidp_queue_depth{stage=\"scale\",lane=\"interactive\"}";
    until(async || rig.metric(depth).await == Some(1.0)).await;
    until(async || rig.metric("vidp_oldest_waiting_seconds{stage=\"scale\"}").await > Some(0.5)).await;
    assert!(rig.metric("vidp_oldest_job_seconds").await > Some(0.5));
    assert_eq!(
        rig.metric("vidp_uploads_total{outcome=\"accepted\"}").await,
        Some(1.0)
    );
    assert_eq!(
        rig.metric("vidp_uploads_total{outcome=\"refused\"}").await,
        Some(1.0)
    );
    assert_eq!(rig.metric("vidp_upload_bytes_total").await, Some(10.0));
    assert_eq!(rig.metric("vidp_upload_seconds_count").await, Some(1.0));
    let requests = "vidp_http_requests_total{method=\"POST\",route=\"/api/v1/jobs\",status=\"202\"}";
    assert_eq!(rig.metric(requests).await, Some(1.0));

    // An unknown method does not become a label.
    let made_up = rig
        .http
        .request(reqwest::Method::from_bytes(b"PAINT").unwrap(), rig.jobs_url());
    assert_eq!(
        made_up.send().await.unwrap().status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    let other = "vidp_http_requests_total{method=\"other\",route=\"/api/v1/jobs\",status=\"405\"}";
    assert_eq!(rig.metric(other).await, Some(1.0));

    // A task that a worker holds still counts, as for an autoscaler.
    let pulled = rig.pull(Stage::Scale).await;
    assert_eq!(rig.metric(depth).await, Some(1.0));
    rig.succeed(&pulled, json!({})).await;
    rig.until_job(job["id"].as_str().unwrap(), |job| job["status"] == "succeeded")
        .await;
    until(async || rig.metric(depth).await == Some(0.0)).await;
    // The end of the job is counted a moment after it is stored.
    until(async || rig.metric("vidp_jobs_total{status=\"succeeded\"}").await == Some(1.0)).await;
    assert_eq!(rig.metric("vidp_oldest_job_seconds").await, Some(0.0));

    rig.nats.stop();
    until(async || rig.metric("vidp_broker_up").await == Some(0.0)).await;
    assert!(rig.metric(depth).await.unwrap().is_nan());
    assert_eq!(rig.metric("vidp_mongodb_up").await, Some(1.0));
}

#[tokio::test]
async fn the_health_check_reports_the_state_of_the_service() {
    let mut rig = Rig::new().await;
    let address = rig.probes.trim_start_matches("http://").to_owned();
    let healthcheck = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vidp-api"));
        let done = command
            .env("VIDP_PROBE_BIND", &address)
            .arg("healthcheck")
            .args(more)
            .output()
            .unwrap();
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    };
    assert_eq!(healthcheck(&[]).0, Some(0));
    assert_eq!(healthcheck(&["--ready"]).0, Some(0));
    rig.kill_api();
    let (code, error) = healthcheck(&[]);
    assert!(code == Some(1) && error.contains("/health"), "{code:?} {error}");
}

#[test]
fn the_secrets_of_the_sample_files_are_refused() {
    for (name, value) in [
        ("VIDP_NATS_PASSWORD", "replace-me"),
        ("VIDP_S3_SECRET_KEY", "replace-me"),
        (
            "VIDP_MONGODB_URL",
            "mongodb://vidp:replace-me@mongodb-0/?replicaSet=rs0",
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vidp-api"));
        let done = command
            .env(name, value)
            .env("VIDP_BIND", "127.0.0.1:0")
            .env("VIDP_PROBE_BIND", "127.0.0.1:0")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(
            !done.status.success() && error.contains(name) && error.contains("make-secrets.py"),
            "{error}"
        );
    }
}
