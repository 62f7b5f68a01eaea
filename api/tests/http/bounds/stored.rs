//! Bounds of what one tenant stores in MongoDB, and of the time that its reads take there.

use crate::harness::{Rig, until};
use bson::{Document, doc};
use futures_util::{StreamExt, TryStreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use vidp_engines::free_port;
use vidp_record::db::Db;

/// Direct access to the record of a test.
struct Record {
    db: Db,
    database: String,
}

impl Record {
    async fn of(rig: &Rig) -> Record {
        let database = rig.setting("VIDP_MONGODB_DATABASE").to_owned();
        let db = Db::connect(rig.setting("VIDP_MONGODB_URL"), &database)
            .await
            .unwrap();
        Record { db, database }
    }

    /// The number of documents in a collection, and their bytes.
    async fn size(&self, collection: &str) -> (i64, i64) {
        let database = self.db.jobs().client().database(&self.database);
        let sum = doc! { "$group": { "_id": null, "count": { "$sum": 1_i64 }, "bytes": { "$sum": { "$toLong": { "$bsonSize": "$$ROOT" } } } } };
        #[expect(clippy::disallowed_methods, reason = "a test")]
        let found = database
            .collection::<Document>(collection)
            .aggregate([sum])
            .await
            .unwrap();
        let found: Vec<Document> = found.try_collect().await.unwrap();
        let number = |name| found.first().map_or(0, |sum| sum.get_i64(name).unwrap());
        (number("count"), number("bytes"))
    }
}

/// Creates 20 webhooks that no receiver answers, and a job with long metadata.
async fn begin(rig: &Rig) -> String {
    let url = format!("http://127.0.0.1:{}/", free_port());
    for _ in 0..20 {
        let request = rig.http.post(format!("{}/api/v1/webhooks", rig.url));
        let answer = request.json(&json!({ "url": url })).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
    }
    let options = json!({ "stages": ["scale"], "metadata": { "text": "x".repeat(15_000) } });
    rig.submit(&options).await["id"].as_str().unwrap().to_owned()
}

/// Cancels and retries the job; returns the status and the code of the retry.
async fn cycle(rig: &Rig, job: &str) -> (StatusCode, Value) {
    assert_eq!(rig.post(job, "cancel").await.status(), StatusCode::OK);
    let retried = rig.post(job, "retry").await;
    let status = retried.status();
    (status, retried.json::<Value>().await.unwrap()["code"].clone())
}

fn settings(more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let all = [
        ("VIDP_OUTBOUND_ALLOW", "127.0.0.1/32"),
        ("VIDP_WEBHOOK_RETRY_SECONDS", "3600"),
        ("VIDP_STALE_SECONDS", "600"),
    ];
    all.iter()
        .chain(more)
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_message_to_many_webhooks_is_stored_once() {
    let rig = Rig::with(&settings(&[("VIDP_RETRIES_PER_DAY", "0")])).await;
    let (job, record) = (begin(&rig).await, Record::of(&rig).await);
    for _ in 0..50 {
        assert_eq!(cycle(&rig, &job).await.0, StatusCode::ACCEPTED);
    }
    until(async || record.size("deliveries").await.0 == 50 * 20).await;
    let (_, deliveries) = record.size("deliveries").await;
    let (messages, texts) = record.size("messages").await;
    let total = deliveries + texts;
    assert!(
        total < 5_000_000,
        "50 ends of a job with 20 webhooks are {total} bytes"
    );
    assert_eq!(messages, 50);
}

#[tokio::test]
async fn the_messages_of_a_tenant_are_bounded() {
    let more = [
        ("VIDP_RETRIES_PER_DAY", "0"),
        ("VIDP_WEBHOOK_MESSAGES_PER_TENANT", "10"),
    ];
    let rig = Rig::with(&settings(&more)).await;
    let (job, record) = (begin(&rig).await, Record::of(&rig).await);
    for _ in 0..25 {
        assert_eq!(cycle(&rig, &job).await.0, StatusCode::ACCEPTED);
    }
    // The newest stay, each with its deliveries.
    until(async || {
        let (messages, deliveries) = (record.size("messages").await.0, record.size("deliveries").await.0);
        messages == 10 && deliveries == 10 * 20
    })
    .await;
}

#[tokio::test]
async fn a_job_is_retried_a_limited_number_of_times_a_day() {
    let rig = Rig::with(&settings(&[("VIDP_RETRIES_PER_DAY", "3")])).await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let job = job["id"].as_str().unwrap();
    for _ in 0..3 {
        assert_eq!(cycle(&rig, job).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(rig.post(job, "retry").await.status(), StatusCode::CONFLICT);
    assert_eq!(
        cycle(&rig, job).await,
        (StatusCode::TOO_MANY_REQUESTS, json!("too_many_retries"))
    );
}

#[tokio::test]
async fn a_read_that_takes_too_long_ends_in_mongodb_too() {
    let rig = Rig::new().await;
    rig.submit(&json!({ "stages": ["scale"] })).await;
    let record = Record::of(&rig).await;
    // Takes as long as a search in a very long list.
    let endless = doc! { "$where": "function() { while (true) { sleep(10) } }" };
    let read = record.db.find(endless, doc! {}, 1);
    let running = async || {
        let admin = record.db.jobs().client().database("admin");
        let namespace = format!("{}.jobs", record.database);
        let stages = [
            doc! { "$currentOp": { "allUsers": true } },
            doc! { "$match": { "ns": namespace, "microsecs_running": { "$gt": 500_000 } } },
        ];
        let found = admin.aggregate(stages).await.unwrap();
        found.count().await
    };
    let (answer, ()) = tokio::join!(read, until(async || running().await > 0));
    let error = answer.unwrap_err().to_string();
    assert!(error.contains("longer than 5 s"), "{error}");
    until(async || running().await == 0).await;
}

/// A scan of all jobs in each round of the sweeper would take longer with every job that is kept.
#[tokio::test]
async fn background_work_reads_by_index_alone() {
    let rig = Rig::with(&[("VIDP_OUTBOUND_ALLOW", "127.0.0.0/8".to_owned())]).await;
    let job = begin(&rig).await;
    assert_eq!(cycle(&rig, &job).await.0, StatusCode::ACCEPTED);
    let record = Record::of(&rig).await;
    let database = record.db.jobs().client().database(&record.database);
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    let profiled = async |query: Document| {
        #[expect(clippy::disallowed_methods, reason = "a test")]
        let found = database
            .collection::<Document>("system.profile")
            .find(query)
            .await;
        found.unwrap().try_collect::<Vec<_>>().await.unwrap()
    };
    // The last query of a round. The second one shows that a whole round was recorded.
    let ends =
        doc! { "command.filter.expires_at": { "$exists": true }, "ns": format!("{}.jobs", record.database) };
    until(async || profiled(ends.clone()).await.len() > 1).await;
    let scans =
        doc! { "planSummary": "COLLSCAN", "ns": { "$ne": format!("{}.system.profile", record.database) } };
    let mut scans = profiled(scans).await;
    // A change stream reads the oplog, which has no index.
    scans.retain(|entry| !entry.to_string().contains("$changeStream"));
    assert!(scans.is_empty(), "{scans:#?}");
}
