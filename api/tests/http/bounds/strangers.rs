//! Requests without a valid key cause little work, and their answers show little.

use crate::harness::{Guarded, Rig, until};
use bson::{Document, doc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;
use vidp_record::db::Db;

/// Records every operation on the API's database, and counts the reads of keys.
struct Profile {
    db: Db,
    database: String,
}

impl Profile {
    async fn start(rig: &Rig) -> Profile {
        let database = rig.setting("VIDP_MONGODB_DATABASE").to_owned();
        let db = Db::connect(rig.setting("VIDP_MONGODB_URL"), &database)
            .await
            .unwrap();
        let all = doc! { "profile": 2 };
        db.jobs()
            .client()
            .database(&database)
            .run_command(all)
            .await
            .unwrap();
        Profile { db, database }
    }

    async fn reads_of_keys(&self) -> u64 {
        let database = self.db.jobs().client().database(&self.database);
        let profile = database.collection::<Document>("system.profile");
        let reads = doc! { "op": "query", "command.find": "keys" };
        profile.count_documents(reads).await.unwrap()
    }
}

#[tokio::test]
async fn unknown_keys_cost_no_read_after_the_limit() {
    let rig = Guarded::with(&[("VIDP_FAILED_KEYS_PER_MINUTE", "3".to_owned())]).await;
    let key = rig.key("mine", &["jobs:read"]).await;
    let rig = rig.rig;
    let ask = async |key: &str| {
        let request = rig.http.get(rig.jobs_url()).bearer_auth(key);
        request.send().await.unwrap().status()
    };
    assert_eq!(ask(&key).await, StatusCode::OK);
    let profile = Profile::start(&rig).await;
    let unknown = || format!("vidp_{}_{}", Uuid::now_v7().simple(), "0".repeat(48));
    let mut refused = 0;
    for _ in 0..60 {
        let status = ask(&unknown()).await;
        refused += u32::from(status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused >= 50, "{refused} of 60 were 429");
    let reads = profile.reads_of_keys().await;
    assert!((3..=10).contains(&reads), "60 unknown keys caused {reads} reads");
    // A key that this process knows is valid from the same address.
    assert_eq!(ask(&key).await, StatusCode::OK);
}

#[tokio::test]
async fn requests_without_the_scope_count_too() {
    let rig = Guarded::with(&[("VIDP_REQUESTS_PER_MINUTE", "3".to_owned())]).await;
    let key = rig.key("mine", &["jobs:read"]).await;
    let ask = async || {
        let url = format!("{}/api/v1/batches", rig.rig.url);
        let answer = rig.rig.http.post(url).bearer_auth(&key).send().await.unwrap();
        answer.status().as_u16()
    };
    let statuses = [ask().await, ask().await, ask().await, ask().await];
    assert_eq!(statuses, [403, 403, 403, 429]);
}

#[tokio::test]
async fn the_figures_of_the_pipeline_need_a_key() {
    let rig = Guarded::new().await;
    let key = rig.key("mine", &["jobs:write"]).await;
    let unknown = format!("vidp_{}_{}", Uuid::now_v7().simple(), "0".repeat(48));
    let ask = async |key: Option<&str>| {
        let mut request = rig
            .rig
            .http
            .get(format!("{}/api/v1/processing/health", rig.rig.url));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json::<Value>().await.unwrap()
    };
    let idle = json!({ "interactive": 0, "batch": 0 });
    until(async || ask(Some(&key)).await["stages"]["scale"]["queue_depth"] == idle).await;
    for stranger in [None, Some(unknown.as_str())] {
        let shown = ask(stranger).await;
        assert_eq!(
            (&shown["status"], &shown["dependencies"]["s3"]["status"]),
            (&json!("ok"), &json!("up"))
        );
        for stage in ["detect", "scale", "subtitle"] {
            let stage = &shown["stages"][stage];
            assert_eq!(
                stage["queue_depth"],
                json!({ "interactive": null, "batch": null })
            );
            assert_eq!(stage["workers"], json!({ "busy": null, "idle": null }));
        }
    }
}
