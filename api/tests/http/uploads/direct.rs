//! Uploads straight to the object store. The client is plain HTTP.

use crate::harness::{Rig, until};
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;
use vidp_contract::{JobOptions, Stage, hex, keys};
use vidp_record::{db::Db, job::Job, source::Fetch, time::DateTime};

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

    /// Sends bytes to the URL of a part, without an API key; returns the store's answer.
    async fn try_put(&self, part: &Value, bytes: &[u8]) -> StatusCode {
        let request = self.http.put(part["url"].as_str().unwrap()).body(bytes.to_vec());
        request.send().await.unwrap().status()
    }

    async fn put(&self, part: &Value, bytes: Vec<u8>) {
        let status = self.try_put(part, &bytes).await;
        assert!(status.is_success(), "{status}");
    }

    /// True when the store has nothing below the folder of an upload, neither objects nor open multipart uploads.
    async fn has_nothing_of(&self, upload: &Value) -> bool {
        let source = keys::source(upload["id"].as_str().unwrap().parse().unwrap());
        let folder = source.rsplit_once('/').unwrap().0.to_owned() + "/";
        let (objects, open) = (self.store.list(&folder), self.store.open_multiparts(&folder));
        objects.await.unwrap().is_empty() && open.await.unwrap().is_empty()
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
async fn a_small_file_goes_to_the_store_in_one_part() {
    use sha2::{Digest, Sha256};
    let rig = Rig::new().await;
    let hash = hex(&Sha256::digest(b"a film"));
    let upload = rig.announce_file(6, Some(&hash.to_uppercase())).await;
    let (status, problem) = rig.complete(&upload).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("incomplete_upload"))
    );
    rig.put(&upload["parts"][0], b"A FILM".to_vec()).await;
    // The client loses the URL, requests another, and sends the file again.
    let id = upload["id"].as_str().unwrap();
    let again = rig.http.get(format!("{}/api/v1/uploads/{id}", rig.url));
    let again: Value = again.send().await.unwrap().json().await.unwrap();
    rig.put(&again["parts"][0], b"a film".to_vec()).await;
    let (status, job) = rig.complete(&upload).await;
    assert_eq!((status, &job["id"]), (StatusCode::ACCEPTED, &upload["id"]));
    assert_eq!(job["source"]["size"], 6);
    let task = rig.pull(Stage::Scale).await.task;
    assert_eq!((task.source.size, &task.source.sha256), (6, &hash));
    assert_eq!(rig.job(id).await["source"]["filename"], "clip.mp4");
    // The upload no longer exists.
    assert_eq!(rig.complete(&upload).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_url_takes_exactly_the_bytes_of_its_part() {
    let rig = Rig::new().await;
    let upload = rig.announce_file(6, None).await;
    for bytes in [&b"a film."[..], b"a fil", b""] {
        let status = rig.try_put(&upload["parts"][0], bytes).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{} bytes", bytes.len());
    }
    let (status, problem) = rig.complete(&upload).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("incomplete_upload"))
    );
    rig.put(&upload["parts"][0], b"a film".to_vec()).await;
    assert_eq!(rig.complete(&upload).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_url_ends_with_its_upload() {
    let rig = Rig::with(&[("VIDP_DIRECT_UPLOAD_SECONDS", "3600".to_owned())]).await;
    let open = async || {
        let upload = rig.announce_file(6, None).await;
        rig.put(&upload["parts"][0], b"a film".to_vec()).await;
        let id = upload["id"].as_str().unwrap().to_owned();
        (upload, id)
    };
    let (completed, id) = open().await;
    assert_eq!(rig.complete(&completed).await.0, StatusCode::ACCEPTED);
    let refused = rig.try_put(&completed["parts"][0], b"A FAKE").await;
    assert_eq!(refused, StatusCode::NOT_FOUND);
    let task = rig.pull(Stage::Scale).await.task;
    let stored = rig.store.read(&task.source.key).await.unwrap().unwrap();
    assert_eq!(stored, b"a film");
    assert_eq!(
        rig.try_put(&completed["parts"][0], b"A FAKE").await,
        StatusCode::NOT_FOUND
    );

    let (deleted, id_of_deleted) = open().await;
    let url = format!("{}/api/v1/uploads/{id_of_deleted}", rig.url);
    let answer = rig.http.delete(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let (cancelled, id_of_cancelled) = open().await;
    assert_eq!(
        rig.post(&id_of_cancelled, "cancel").await.status(),
        StatusCode::OK
    );
    // The sweeper removes the bytes of a cancelled upload.
    until(async || rig.has_nothing_of(&cancelled).await).await;
    for upload in [&deleted, &cancelled] {
        let refused = rig.try_put(&upload["parts"][0], b"A FAKE").await;
        assert_eq!(refused, StatusCode::NOT_FOUND);
        assert!(rig.has_nothing_of(upload).await);
    }

    // The upload that was completed leaves nothing either, once its job is deleted.
    rig.post(&id, "cancel").await;
    let answer = rig
        .http
        .delete(format!("{}/{id}", rig.jobs_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        rig.try_put(&completed["parts"][0], b"A FAKE").await,
        StatusCode::NOT_FOUND
    );
    assert!(rig.has_nothing_of(&completed).await);
}

/// The size is checked once more when the server reads the source, whatever the store accepted.
#[tokio::test]
async fn a_source_in_the_store_is_measured_before_a_worker_gets_it() {
    let rig = Rig::new().await;
    let db = rig.setting("VIDP_MONGODB_DATABASE");
    let db = Db::connect(rig.setting("VIDP_MONGODB_URL"), db).await.unwrap();
    let options: JobOptions = serde_json::from_value(json!({ "stages": ["scale"] })).unwrap();
    let read = async |announced: i64, stored: usize| {
        let (id, now) = (Uuid::now_v7(), DateTime::now());
        let (tenant, name, kind) = ("local".to_owned(), "a.mp4".to_owned(), "video/mp4".to_owned());
        let mut job = Job::uploading(id, tenant, options.clone(), name, kind, now);
        job.source.size = announced;
        job.fetch = Some(Fetch::new(now));
        rig.store
            .put(&keys::source(id), vec![7_u8; stored].into())
            .await
            .unwrap();
        db.jobs().insert_one(&job).await.unwrap();
        let job = rig
            .until_job(&id.to_string(), |job| job["status"] != "uploading")
            .await;
        let code = &job["stages"]["scale"]["error"]["code"];
        (job["status"].clone(), code.clone())
    };
    assert_eq!(read(0, 12_000_000).await.0, "queued");
    assert_eq!(
        read(0, 12_000_001).await,
        (json!("failed"), json!("media_too_large"))
    );
    assert_eq!(read(6, 7).await, (json!("failed"), json!("source_corrupt")));
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

#[tokio::test]
async fn requests_with_one_key_open_one_upload() {
    let rig = Rig::with(&[("VIDP_MAX_UPLOAD_MB", "100".to_owned())]).await;
    let begin = async |key: String, size: u64| {
        let body = json!({ "filename": "a.mp4", "size": size });
        let request = rig.http.post(format!("{}/api/v1/uploads", rig.url)).json(&body);
        let answer = request.header("idempotency-key", key).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json::<Value>().await.unwrap()
    };
    for round in 0..5 {
        for size in [6, 70 << 20] {
            let uploads = join_all((0..8).map(|_| begin(format!("{round}-{size}"), size))).await;
            let source = keys::source(uploads[0]["id"].as_str().unwrap().parse().unwrap());
            let open = rig.store.open_multiparts(&source).await.unwrap();
            assert_eq!(open.len(), 1, "{size} bytes in round {round}");
            // Every answer has living URLs, also that of the first request.
            for upload in uploads.iter().filter(|_| size == 6) {
                rig.put(&upload["parts"][0], b"a film".to_vec()).await;
            }
        }
    }
}

#[tokio::test]
async fn an_upload_without_a_record_is_aborted_in_the_store() {
    let rig = Rig::with(&[("VIDP_TIDY_SECONDS", "1".to_owned())]).await;
    let direct = rig.announce_file(6, None).await;
    let left = [
        keys::source(Uuid::now_v7()),
        keys::output(
            &keys::stage_prefix(Uuid::now_v7(), Stage::Scale),
            Uuid::now_v7(),
            "720p.mp4",
        ),
    ];
    for key in &left {
        rig.store.open_multipart(key, "video/mp4").await.unwrap();
    }
    for key in &left {
        until(async || rig.store.open_multiparts(key).await.unwrap().is_empty()).await;
    }
    // An upload of the record is never aborted, however old it is.
    rig.put(&direct["parts"][0], b"a film".to_vec()).await;
    assert_eq!(rig.complete(&direct).await.0, StatusCode::ACCEPTED);
}
