//! An upgrade: a system that was stopped under the previous release continues under this one, with jobs in every state.
//! `fixtures/README.md` describes the stored documents.

use crate::{
    harness::{Guarded, LIMIT, Pulled, Rig, french, until},
    uploads::references::put,
    webhooks::Receiver,
};
use axum::{Router, routing::get};
use bson::{Bson, DateTime, Document, doc};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};
use uuid::Uuid;
use vidp_common::store::Multipart;
use vidp_contract::{Lane, Outcome, Stage, Success, TaskResult, Timings, keys};
use vidp_engines::free_port;
use vidp_record::db::Db;

/// When the system of the fixtures was stopped: 2026-01-01T00:00:00Z, in milliseconds.
const STOPPED: i64 = 1_767_225_600_000;
const SECRET: &str = "the secret of the stored fixtures";
const LIVE_KEY: &str =
    "vidp_01a22725a93777aea26b1c8bce24bc31_40ac203849ef2b9b53d029edac329dab39fd946bf4bf5ff4";
const REPLACED_KEY: &str =
    "vidp_01a22725a9467487bf1af6bdacab4e3a_b772fb0baeaa6d62dda024793642e58e806e7f8334df1748";
const REPLACEMENT_KEY: &str =
    "vidp_01a22725a94f7060b79989b0b7b02340_00b8faffb8f6044e58b3aba1b69200ebc9b53edab7ae97c5";
const REVOKED_KEY: &str =
    "vidp_01a22725a9577225bd074ca31005b85a_632e5ecd4288382cdb5aed1dd7b1e25322ee254f0bd557c8";
const FILM: &[u8] = b"some bytes";
const OUTPUT: &[u8] = b"0123456789";
/// Jobs that this release runs to success.
const CONTINUED: [&str; 15] = [
    "pending",
    "sent",
    "halfway",
    "running",
    "partial",
    "failed",
    "cancelled",
    "direct",
    "tus-open",
    "tus-done",
    "tus-complete",
    "tus-inserted",
    "tus-final",
    "url",
    "reference",
];

/// The documents of each collection.
struct Documents(BTreeMap<&'static str, Vec<Document>>);

impl Documents {
    /// Reads the fixtures, and moves their times so that the system was stopped just now.
    fn load() -> Documents {
        let files = [
            ("jobs", include_str!("fixtures/jobs.json")),
            ("batches", include_str!("fixtures/batches.json")),
            ("files", include_str!("fixtures/files.json")),
            ("webhooks", include_str!("fixtures/webhooks.json")),
            ("deliveries", include_str!("fixtures/deliveries.json")),
            ("keys", include_str!("fixtures/keys.json")),
        ];
        let shift = DateTime::now().timestamp_millis() - STOPPED;
        let read = |text| {
            let mut documents: Vec<Document> = serde_json::from_str(text).unwrap();
            for document in &mut documents {
                document
                    .iter_mut()
                    .for_each(|(_, value)| move_times(value, shift));
            }
            documents
        };
        Documents(files.map(|(name, text)| (name, read(text))).into())
    }

    /// The document of a job or an upload, by the external id of its options.
    fn of(&mut self, collection: &str, external_id: &str) -> &mut Document {
        let mut documents = self.0.get_mut(collection).unwrap().iter_mut();
        let found = documents.find(|document| {
            let options = document.get_document("options").unwrap();
            options.get_str("external_id").is_ok_and(|id| id == external_id)
        });
        found.unwrap_or_else(|| panic!("{external_id} is not among the {collection}"))
    }

    fn id(&mut self, collection: &str, external_id: &str) -> Uuid {
        let document = self.of(collection, external_id);
        document.get_str("_id").unwrap().parse().unwrap()
    }

    async fn insert(self, rig: &Rig) -> Db {
        let name = rig.setting("VIDP_MONGODB_DATABASE");
        let db = Db::connect(rig.setting("VIDP_MONGODB_URL"), name).await.unwrap();
        let database = db.jobs().client().database(name);
        for (collection, documents) in self.0 {
            let collection = database.collection::<Document>(collection);
            collection.insert_many(documents).await.unwrap();
        }
        for collection in ["jobs", "batches"] {
            let drop = doc! { "dropIndexes": collection, "index": "*" };
            database.run_command(drop).await.unwrap();
        }
        // The previous release had these, whose fields are those of today's with another condition.
        for (collection, key, of) in [
            ("jobs", "direct.expires_at", "direct"),
            ("batches", "action.next_at", "action"),
        ] {
            let old = doc! { "name": format!("{key}_1"), "key": { key: 1 }, "partialFilterExpression": { of: { "$exists": true } } };
            let create = doc! { "createIndexes": collection, "indexes": [old] };
            database.run_command(create).await.unwrap();
        }
        db
    }
}

fn move_times(value: &mut Bson, shift: i64) {
    match value {
        Bson::DateTime(time) => *time = DateTime::from_millis(time.timestamp_millis() + shift),
        Bson::Document(document) => document
            .iter_mut()
            .for_each(|(_, value)| move_times(value, shift)),
        Bson::Array(values) => values.iter_mut().for_each(|value| move_times(value, shift)),
        _ => {}
    }
}

/// A web server with the film at `/film.mp4`.
async fn web() -> String {
    let routes = Router::new().route("/film.mp4", get(async || FILM));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/film.mp4", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// Runs every task of a stage.
async fn work(rig: &Rig, stage: Stage) {
    loop {
        let Some(pulled) = rig.try_pull(stage, Lane::Interactive).await else {
            continue;
        };
        let report = if stage == Stage::Detect {
            french()
        } else {
            json!({})
        };
        succeed(rig, &pulled, &report).await;
    }
}

async fn succeed(rig: &Rig, pulled: &Pulled, report: &Value) {
    let success = Success {
        outputs: Vec::new(),
        report: report.as_object().unwrap().clone(),
    };
    rig.answer(pulled, Outcome::Succeeded(success)).await;
}

/// Puts the objects that the documents name into the bucket, and the addresses of this test into the documents. Returns
/// the key of an object that a losing attempt stored.
async fn restore_objects(rig: &Rig, documents: &mut Documents, receiver: &Receiver) -> String {
    let films = rig.store.beside("films");
    films.ensure_bucket().await.unwrap();
    put(rig, &films, "acme/film.mp4", FILM).await;
    let url = web().await;
    let source = documents.of("jobs", "url").get_document_mut("source").unwrap();
    source.get_document_mut("reference").unwrap().insert("url", url);
    let webhook = documents.0.get_mut("webhooks").unwrap();
    webhook[0].insert("url", &receiver.url);

    for (collection, name) in [("jobs", "tus-inserted"), ("files", "tus-complete")] {
        let key = keys::source(documents.id(collection, name));
        rig.store.put(&key, FILM.into()).await.unwrap();
    }
    for (part, bytes) in [("part-1", &FILM[..5]), ("part-2", &FILM[5..])] {
        let key = keys::source(documents.id("files", part));
        rig.store.put(&key, bytes.into()).await.unwrap();
    }
    for name in ["tus-open", "tus-left"] {
        let id = documents.id("files", name);
        rig.store.put(&keys::tail(id, 5), FILM[..5].into()).await.unwrap();
        let key = keys::source(id);
        let opened = Multipart::start(&rig.store, &key, "video/mp4", 1000)
            .await
            .unwrap();
        documents
            .of("files", name)
            .insert("upload_id", opened.upload_id());
        // It stays open, as the previous release left it.
        std::mem::forget(opened);
    }

    let output = documents.of("jobs", "succeeded").clone();
    let stages = output.get_document("stages").unwrap();
    let outputs = stages
        .get_document("scale")
        .unwrap()
        .get_array("outputs")
        .unwrap();
    let key = outputs[0].as_document().unwrap().get_str("key").unwrap();
    rig.store.put(key, OUTPUT.into()).await.unwrap();
    let prefix = keys::stage_prefix(documents.id("jobs", "succeeded"), Stage::Scale);
    let lost = keys::output(&prefix, Uuid::now_v7(), "out.bin");
    rig.store.put(&lost, "lost".into()).await.unwrap();
    lost
}

/// Moves the times of later work to the present, so that the test does not wait for minutes or days.
fn let_time_pass(documents: &mut Documents) {
    let now = DateTime::now();
    for (collection, name, field) in [
        ("jobs", "succeeded", "tidy_at"),
        ("jobs", "expired", "expires_at"),
        ("jobs", "deleted", "expires_at"),
        ("files", "tus-left", "expires_at"),
    ] {
        let document = documents.of(collection, name);
        assert!(document.get_datetime(field).is_ok(), "{name} has no {field}");
        document.insert(field, now);
    }
    for name in ["tus-complete", "tus-inserted"] {
        documents.of("files", name).insert("finish_at", now);
    }
    for job in documents.0.get_mut("jobs").unwrap() {
        let stages = job.get_document_mut("stages").unwrap();
        for (_, stage) in stages.iter_mut() {
            if let Ok(dispatch) = stage.as_document_mut().unwrap().get_document_mut("dispatch") {
                dispatch.insert("next_at", now);
            }
        }
    }
    let direct = documents.of("jobs", "direct-left").get_document_mut("direct");
    direct.unwrap().insert("expires_at", now);
}

/// The result of a worker that kept running while the API was replaced.
fn late_result(documents: &mut Documents) -> TaskResult {
    let job_id = documents.id("jobs", "running");
    let stages = documents.of("jobs", "running").get_document("stages").unwrap();
    let scale = stages.get_document("scale").unwrap();
    TaskResult {
        task_id: scale.get_str("task_id").unwrap().parse().unwrap(),
        job_id,
        stage: Stage::Scale,
        attempt: 1,
        outcome: Outcome::Succeeded(Success::default()),
        timings: Timings::default(),
        worker: "of the previous release".to_owned(),
    }
}

/// A system with the documents of the fixtures.
struct Upgraded {
    rig: Rig,
    db: Db,
    /// Ids of jobs and resumable uploads, by external id.
    ids: BTreeMap<String, String>,
    batch: String,
    lost: String,
    result: TaskResult,
}

impl Upgraded {
    async fn start(receiver: &mut Receiver) -> Upgraded {
        let settings = [
            ("VIDP_KEY_SECRET", SECRET.to_owned()),
            ("VIDP_OUTBOUND_ALLOW", "127.0.0.1/32".to_owned()),
            ("VIDP_FETCH_URLS", "true".to_owned()),
            ("VIDP_SOURCE_BUCKETS", "films/{tenant}/".to_owned()),
            ("VIDP_TIDY_SECONDS", "1".to_owned()),
            ("VIDP_WEBHOOK_RETRY_SECONDS", ["1"; 30].join(",")),
        ];
        let mut rig = Guarded::with(&settings).await.rig.with_key(LIVE_KEY);
        rig.kill_api();
        let mut documents = Documents::load();
        let secrets = documents.0["webhooks"][0].get_array("secrets").unwrap();
        let secret = secrets[0].as_document().unwrap().get_str("key").unwrap();
        receiver.trust(&json!(secret)).await;
        let lost = restore_objects(&rig, &mut documents, receiver).await;
        let_time_pass(&mut documents);
        let result = late_result(&mut documents);
        let text = |document: &Document, field| document.get_str(field).unwrap().to_owned();
        let named = [&documents.0["jobs"], &documents.0["files"]];
        let ids = named.into_iter().flatten().map(|document| {
            let options = document.get_document("options").unwrap();
            (text(options, "external_id"), text(document, "_id"))
        });
        let (ids, batch) = (ids.collect(), text(&documents.0["batches"][0], "_id"));
        let db = documents.insert(&rig).await;
        rig.start_api().await;
        Upgraded {
            rig,
            db,
            ids,
            batch,
            lost,
            result,
        }
    }

    fn id(&self, name: &str) -> &str {
        &self.ids[name]
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("{}/api/v1/{path}", self.rig.url);
        self.rig.http.get(url).send().await.unwrap()
    }

    async fn until_job(&self, name: &str, status: &str) -> Value {
        let reached = self.rig.until_job(self.id(name), |job| job["status"] == status);
        let reached = tokio::time::timeout(LIMIT - Duration::from_secs(1), reached).await;
        match reached {
            Ok(job) => job,
            Err(_) => panic!("{name} is not {status}: {}", self.rig.job(self.id(name)).await),
        }
    }

    /// The client continues its uploads.
    async fn continue_uploads(&self) {
        let id = self.id("direct");
        let upload: Value = self.get(&format!("uploads/{id}")).await.json().await.unwrap();
        let url = upload["parts"][0]["url"].as_str().unwrap();
        let sent = Client::new().put(url).body(FILM).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.status());
        let complete = format!("{}/api/v1/uploads/{id}/complete", self.rig.url);
        let complete = self.rig.http.post(complete).send().await.unwrap();
        assert_eq!(complete.status(), StatusCode::ACCEPTED);

        let file = |method, name: &str| {
            let url = format!("{}/files/{}", self.rig.url, self.id(name));
            let request = self.rig.http.request(method, url);
            request.header("tus-resumable", "1.0.0")
        };
        let head = file(Method::HEAD, "tus-open").send().await.unwrap();
        assert_eq!(head.headers()["upload-offset"], "5");
        let patch = file(Method::PATCH, "tus-open")
            .header("content-type", "application/offset+octet-stream")
            .header("upload-offset", 5)
            .body(&FILM[5..]);
        assert_eq!(patch.send().await.unwrap().status(), StatusCode::NO_CONTENT);
        until(async || file(Method::HEAD, "tus-left").send().await.unwrap().status() == 404).await;
    }

    /// Uploads that no client continues fail.
    async fn check_abandoned(&self) {
        for name in ["upload", "direct-left"] {
            let job = self.until_job(name, "failed").await;
            assert_eq!(
                job["stages"]["scale"]["error"]["code"], "source_missing",
                "{name}"
            );
        }
    }

    /// Ended jobs are still readable, and are cleaned up and deleted when their time comes.
    async fn check_ended(&self) {
        let id = self.id("succeeded");
        let output = self.get(&format!("jobs/{id}/outputs/scale/out.bin")).await;
        assert_eq!(output.bytes().await.unwrap(), OUTPUT);
        until(async || self.rig.store.size(&self.lost).await.unwrap().is_none()).await;
        for name in ["deleted", "expired"] {
            let path = format!("jobs/{}", self.id(name));
            until(async || self.get(&path).await.status() == StatusCode::NOT_FOUND).await;
        }
        let deleted = doc! { "_id": self.id("deleted") };
        #[expect(clippy::disallowed_methods, reason = "a test")]
        let gone = async || self.db.jobs().find_one(deleted.clone()).await.unwrap().is_none();
        until(gone).await;
    }

    /// The cancellation of the batch, of which one job was done, reaches the others.
    async fn check_batch(&self) {
        let path = format!("batches/{}", self.batch);
        let batch = async || self.get(&path).await.json::<Value>().await.unwrap();
        until(async || batch().await["action"].is_null()).await;
        assert_eq!(batch().await["jobs"]["cancelled"], 3);
    }

    async fn check_keys(&self) {
        for (key, status) in [
            (LIVE_KEY, StatusCode::OK),
            (REPLACED_KEY, StatusCode::OK),
            (REPLACEMENT_KEY, StatusCode::OK),
            (REVOKED_KEY, StatusCode::UNAUTHORIZED),
        ] {
            let request = Client::new().get(self.rig.jobs_url()).bearer_auth(key);
            assert_eq!(request.send().await.unwrap().status(), status, "{key}");
        }
    }

    /// The ends of jobs reach the webhook: one whose delivery was pending, and one that was not announced.
    async fn check_webhook(&self, receiver: &mut Receiver) {
        let mut missing: HashSet<_> = ["undelivered", "unannounced"].map(|name| self.id(name)).into();
        while !missing.is_empty() {
            let message = receiver.next().await;
            assert_eq!(message["verified"], json!([true]));
            missing.remove(message["body"]["data"]["id"].as_str().unwrap());
        }
    }

    async fn check(&self, receiver: &mut Receiver) {
        self.rig.publish(&self.result).await;
        for name in ["partial", "failed", "cancelled"] {
            let retried = self.rig.post(self.id(name), "retry").await;
            assert_eq!(retried.status(), StatusCode::ACCEPTED, "{name}");
        }
        self.check_keys().await;
        self.continue_uploads().await;
        self.check_webhook(receiver).await;
        self.check_batch().await;
        self.check_ended().await;
        self.check_abandoned().await;
        for name in CONTINUED {
            self.until_job(name, "succeeded").await;
        }
        for name in [
            "tus-open",
            "tus-complete",
            "tus-inserted",
            "tus-final",
            "url",
            "reference",
        ] {
            let key = keys::source(self.id(name).parse().unwrap());
            assert_eq!(self.rig.store.read(&key).await.unwrap().unwrap(), FILM, "{name}");
        }
        for status in ["uploading", "queued", "running"] {
            assert_eq!(
                self.rig.list(&format!("?status={status}")).await,
                Vec::<Value>::new()
            );
        }
    }
}

#[tokio::test]
async fn jobs_of_the_previous_release_continue() {
    let mut receiver = Receiver::start(free_port(), "204").await;
    let upgraded = Upgraded::start(&mut receiver).await;
    tokio::select! {
        () = work(&upgraded.rig, Stage::Detect) => {}
        () = work(&upgraded.rig, Stage::Scale) => {}
        () = work(&upgraded.rig, Stage::Subtitle) => {}
        () = upgraded.check(&mut receiver) => {}
    }
}
