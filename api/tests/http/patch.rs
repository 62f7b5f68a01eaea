use crate::harness::{Rig, until};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use vidp_contract::Stage;

async fn patch(rig: &Rig, id: &str, patch: &Value, more: &[(&str, &str)]) -> Response {
    let mut request = rig
        .http
        .patch(format!("{}/{id}", rig.jobs_url()))
        .header("content-type", "application/merge-patch+json")
        .body(patch.to_string());
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn metadata_is_patched_unless_another_change_was_first() {
    let rig = Rig::without_sweeper().await;
    let job = rig
        .submit(&json!({ "stages": ["scale"], "metadata": { "a": 1, "b": { "c": 2, "d": 3 } } }))
        .await;
    let id = job["id"].as_str().unwrap();
    // Wait until the publish is recorded, which is also a change.
    let url = format!("{}/{id}", rig.jobs_url());
    let tag = async || rig.http.get(&url).send().await.unwrap().headers()["etag"].clone();
    until(async || tag().await == "\"3\"").await;

    let merged = json!({ "b": { "d": 3, "e": [4] } });
    let change = json!({ "metadata": { "a": null, "b": { "c": null, "e": [4] } } });
    let answer = patch(&rig, id, &change, &[("if-match", "\"2\"")]).await;
    assert_eq!(answer.status(), StatusCode::PRECONDITION_FAILED);
    let answer = patch(&rig, id, &change, &[("if-match", "\"9\", \"3\"")]).await;
    assert_eq!(
        (answer.status(), &answer.headers()["etag"]),
        (StatusCode::OK, &"\"4\"".parse().unwrap())
    );
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        (&answer["metadata"], &answer["options"]["metadata"]),
        (&merged, &merged)
    );
    assert_eq!(rig.job(id).await, answer);

    for (wrong, status) in [
        (json!([]), 400),
        (json!({ "status": "succeeded" }), 400),
        (json!({ "metadata": 5 }), 400),
        (json!({ "metadata": { "k": "x".repeat(17_000) } }), 400),
        (json!({ "retention_days": 0 }), 400),
        (
            json!({ "retention_days": 1, "expires_at": "2031-02-03T04:05:06Z" }),
            400,
        ),
    ] {
        assert_eq!(patch(&rig, id, &wrong, &[]).await.status(), status, "{wrong}");
    }
    let answer = rig.http.patch(&url).json(&change).send().await.unwrap();
    assert_eq!(answer.headers()["accept-patch"], "application/merge-patch+json");
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(rig.job(id).await["metadata"], merged);
    let unknown = "019f0000-0000-7000-8000-000000000000";
    assert_eq!(
        patch(&rig, unknown, &change, &[]).await.status(),
        StatusCode::NOT_FOUND
    );
}

fn millis(time: &Value) -> i64 {
    let format = &time::format_description::well_known::Rfc3339;
    let time = time::OffsetDateTime::parse(time.as_str().unwrap(), format).unwrap();
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap()
}

#[tokio::test]
async fn a_job_is_kept_as_long_as_its_client_wants_and_no_longer() {
    const DAY: i64 = 24 * 3600 * 1000;
    let rig = Rig::with(&[("VIDP_MAX_RETENTION_DAYS", "40".to_owned())]).await;
    let job = rig
        .submit(&json!({ "stages": ["scale"], "retention_days": 2 }))
        .await;
    let id = job["id"].as_str().unwrap();
    let scale = rig.pull(Stage::Scale).await;
    rig.succeed(&scale, json!({})).await;
    let job = rig.until_job(id, |job| job["status"] == "succeeded").await;
    let ended = millis(&job["stages"]["scale"]["finished_at"]);
    assert_eq!(millis(&job["expires_at"]), ended + 2 * DAY);
    for (wanted, expected) in [
        (json!({ "retention_days": 3 }), 3),
        (json!({ "retention_days": 500 }), 40),
        (json!({ "retention_days": null }), 30),
        (json!({ "expires_at": "2999-01-01T00:00:00Z" }), 40),
    ] {
        let answer: Value = patch(&rig, id, &wanted, &[]).await.json().await.unwrap();
        assert_eq!(millis(&answer["expires_at"]), ended + expected * DAY, "{wanted}");
    }
    // The job expires now: the sweeper removes it with its source and its output.
    patch(&rig, id, &json!({ "expires_at": "2020-01-01T00:00:00Z" }), &[]).await;
    let metrics = async || {
        rig.http
            .get(format!("{}/metrics", rig.probes))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    until(async || metrics().await.contains("\nvidp_deleted_objects_total 2\n")).await;
    assert!(metrics().await.contains("\nvidp_deleted_jobs_total 1\n"));
    assert!(metrics().await.contains("\nvidp_deleted_bytes_total 20\n"));
    let url = format!("{}/{id}", rig.jobs_url());
    assert_eq!(
        rig.http.get(&url).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    for prefix in ["uploads/", "outputs/"] {
        assert!(rig.store.list(prefix).await.unwrap().is_empty());
    }
}
