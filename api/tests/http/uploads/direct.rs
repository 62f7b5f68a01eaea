//! Uploads straight to the object store. The client is plain HTTP.

use crate::harness::{Rig, until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use vidp_contract::{Stage, hex, keys};

impl Rig {
    async fn announce(&self, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}/api/v1/uploads", self.url)).json(body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Announces a file for a job with the stage `scale` only.
    async fn announce_file(&self, size: usize, sha256: Option<&str>) -> Value {
        let options = json!({ "stages": ["scale"] });
        let body = json!({ "filename": "clip.mp4", "size": size, "sha256": sha256, "options": options });
        let (status, upload) = self.announce(&body).await;
        assert_eq!(status, StatusCode::CREATED, "{upload}");
        upload
    }

    async fn put(&self, part: &Value, bytes: Vec<u8>) {
        let request = self.http.put(part["url"].as_str().unwrap()).body(bytes);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    async fn complete(&self, upload: &Value) -> (StatusCode, Value) {
        let id = upload["id"].as_str().unwrap();
        let request = self
            .http
            .post(format!("{}/api/v1/uploads/{id}/complete", self.url));
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }
}

#[tokio::test]
async fn a_small_file_goes_to_the_store_in_one_piece() {
    use sha2::{Digest, Sha256};
    let rig = Rig::new().await;
    let hash = hex(&Sha256::digest(b"a film"));
    let upload = rig.announce_file(6, Some(&hash.to_uppercase())).await;
    let (status, problem) = rig.complete(&upload).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("incomplete_upload"))
    );
    rig.put(&upload["parts"][0], b"a fil".to_vec()).await;
    assert_eq!(rig.complete(&upload).await.0, StatusCode::CONFLICT);
    // The client loses the URL, requests another, and sends the file again.
    let id = upload["id"].as_str().unwrap();
    let again = rig.http.get(format!("{}/api/v1/uploads/{id}", rig.url));
    let again: Value = again.send().await.unwrap().json().await.unwrap();
    rig.put(&again["parts"][0], b"a film".to_vec()).await;
    let (status, job) = rig.complete(&upload).await;
    assert_eq!((status, &job["id"]), (StatusCode::ACCEPTED, &upload["id"]));
    let task = rig.pull(Stage::Scale).await.task;
    assert_eq!((task.source.size, &task.source.sha256), (6, &hash));
    assert_eq!(rig.job(id).await["source"]["filename"], "clip.mp4");
    // The upload no longer exists.
    assert_eq!(rig.complete(&upload).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_survives_the_api() {
    let mut rig = Rig::with(&[("VIDP_MAX_UPLOAD_MB", "200".to_owned())]).await;
    let bytes: Vec<u8> = (0..70 << 20).map(|number: u32| (number / 4099) as u8).collect();
    let upload = rig.announce_file(bytes.len(), None).await;
    let parts = upload["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2);
    for part in parts.iter().rev() {
        let (offset, size) = (part["offset"].as_u64().unwrap(), part["size"].as_u64().unwrap());
        let piece = &bytes[offset as usize..(offset + size) as usize];
        rig.put(part, piece.to_vec()).await;
    }
    rig.kill_api();
    rig.start_api().await;
    assert_eq!(rig.complete(&upload).await.0, StatusCode::ACCEPTED);
    let task = rig.pull(Stage::Scale).await.task;
    let stored = rig.store.read(&task.source.key).await.unwrap().unwrap();
    assert!(stored == bytes && task.source.size == bytes.len() as u64);
}

#[tokio::test]
async fn uploads_that_are_wrong_or_given_up_leave_nothing() {
    let rig = Rig::new().await;
    let other = "0".repeat(64);
    let upload = rig.announce_file(6, Some(&other)).await;
    rig.put(&upload["parts"][0], b"a film".to_vec()).await;
    assert_eq!(rig.complete(&upload).await.0, StatusCode::ACCEPTED);
    let id = upload["id"].as_str().unwrap();
    let job = rig.until_job(id, |job| job["status"] == "failed").await;
    assert_eq!(job["stages"]["scale"]["error"]["code"], "source_corrupt");
    let source = keys::source(id.parse().unwrap());
    until(async || rig.store.size(&source).await.unwrap().is_none()).await;

    let upload = rig.announce_file(6, None).await;
    rig.put(&upload["parts"][0], b"a film".to_vec()).await;
    let id = upload["id"].as_str().unwrap();
    let url = format!("{}/api/v1/uploads/{id}", rig.url);
    let delete = rig.http.delete(&url).send().await.unwrap();
    assert_eq!(delete.status(), StatusCode::NO_CONTENT);
    let source = keys::source(id.parse().unwrap());
    until(async || rig.store.size(&source).await.unwrap().is_none()).await;
    assert_eq!(
        rig.http.get(&url).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );

    let short = Rig::with(&[("VIDP_DIRECT_UPLOAD_SECONDS", "2".to_owned())]).await;
    let upload = short.announce_file(6, None).await;
    let id = upload["id"].as_str().unwrap();
    short.put(&upload["parts"][0], b"a film".to_vec()).await;
    let job = short.until_job(id, |job| job["status"] == "failed").await;
    assert_eq!(job["stages"]["scale"]["error"]["code"], "source_missing");
    let source = keys::source(id.parse().unwrap());
    until(async || short.store.size(&source).await.unwrap().is_none()).await;

    for (body, status) in [
        (json!({ "filename": "a", "size": 0 }), 400),
        (json!({ "filename": "a", "size": 13_000_000 }), 413),
        (json!({ "filename": "a", "size": 1, "sha256": "abc" }), 400),
        (
            json!({ "filename": "a", "size": 1, "options": { "stage": [] } }),
            400,
        ),
    ] {
        assert_eq!(rig.announce(&body).await.0.as_u16(), status, "{body}");
    }
}

#[tokio::test]
async fn an_upload_that_is_begun_again_is_the_same() {
    let rig = Rig::new().await;
    let begin = async |size: u64| {
        let body = json!({ "filename": "a.mp4", "size": size });
        let request = rig.http.post(format!("{}/api/v1/uploads", rig.url)).json(&body);
        let answer = request.header("idempotency-key", "a").send().await.unwrap();
        let replayed = answer.headers().contains_key("idempotent-replayed");
        (answer.status(), replayed, answer.json::<Value>().await.unwrap())
    };
    let (status, replayed, first) = begin(6).await;
    assert_eq!((status, replayed), (StatusCode::CREATED, false), "{first}");
    let (status, replayed, again) = begin(6).await;
    assert_eq!((status, replayed), (StatusCode::CREATED, true), "{again}");
    assert_eq!(again["id"], first["id"]);
    let (status, _, other) = begin(7).await;
    assert_eq!(
        (status, &other["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused"))
    );
    rig.put(&again["parts"][0], b"a film".to_vec()).await;
    assert_eq!(rig.complete(&first).await.0, StatusCode::ACCEPTED);
    // The upload no longer exists.
    assert_eq!(begin(6).await.0, StatusCode::NOT_FOUND);
}
