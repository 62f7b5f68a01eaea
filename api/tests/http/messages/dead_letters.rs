use crate::harness::{Rig, until};
use async_nats::{HeaderMap, jetstream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;
use vidp_contract::{FailureCode, Outcome, Stage, Success, streams};

pub(crate) async fn ask(rig: &Rig, method: Method, path: &str) -> (StatusCode, Value) {
    let url = format!("{}/api/v1/dead-letters{path}", rig.url);
    let answer = rig.http.request(method, url).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

pub(crate) async fn list(rig: &Rig) -> Vec<Value> {
    let (status, mut page) = ask(rig, Method::GET, "").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert_eq!(page["next_cursor"], Value::Null);
    page["data"].as_array_mut().unwrap().split_off(0)
}

pub(crate) async fn redrive(rig: &Rig, letter: &Value) -> StatusCode {
    ask(rig, Method::POST, &format!("/{}/redrive", letter["id"]))
        .await
        .0
}

pub(crate) async fn publish(rig: &Rig, subject: &str, headers: &[(&str, &str)], payload: Vec<u8>) {
    let mut map = HeaderMap::new();
    headers.iter().for_each(|(name, value)| map.insert(*name, *value));
    let context = jetstream::new(rig.queue.client().clone());
    let sent = context.publish_with_headers(subject.to_owned(), map, payload.into());
    sent.await.unwrap().await.unwrap();
}

#[tokio::test]
async fn what_nobody_can_read_is_inspected_and_discarded() {
    let rig = Rig::without_sweeper().await;
    let subject = streams::result(Stage::Scale, Uuid::now_v7());
    publish(&rig, &subject, &[], b"no result".to_vec()).await;
    until(async || list(&rig).await.len() == 1).await;
    publish(
        &rig,
        &streams::result(Stage::Scale, Uuid::now_v7()),
        &[],
        vec![0xff, 0xfe],
    )
    .await;
    until(async || list(&rig).await.len() == 2).await;
    let letters = list(&rig).await;
    let first = &letters[0];
    assert_eq!(
        (
            &first["queue"],
            &first["subject"],
            &first["deliveries"],
            &first["size"]
        ),
        (&json!("results"), &json!(subject), &json!(1), &json!(9)),
        "{first}"
    );
    assert!(first["reason"].as_str().unwrap().starts_with("not a result"));
    assert!(first["dead_at"].is_string() && first.get("payload").is_none());
    let (_, whole) = ask(&rig, Method::GET, &format!("/{}", first["id"])).await;
    assert_eq!(
        whole["payload"],
        json!({ "encoding": "text", "data": "no result" })
    );
    let (_, whole) = ask(&rig, Method::GET, &format!("/{}", letters[1]["id"])).await;
    assert_eq!(whole["payload"], json!({ "encoding": "base64", "data": "//4=" }));

    // The list is paged.
    let (_, page) = ask(&rig, Method::GET, "?limit=1").await;
    let rest = format!("?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let (_, rest) = ask(&rig, Method::GET, &rest).await;
    assert_eq!(json!([page["data"][0], rest["data"][0]]), json!(letters));
    assert_eq!(rest["next_cursor"], Value::Null);

    // The message is still undecodable.
    assert_eq!(redrive(&rig, first).await, StatusCode::CONFLICT);

    // A letter without its original subject can only be discarded.
    publish(&rig, "vidp.dead.strange", &[], b"{}".to_vec()).await;
    let letters = list(&rig).await;
    assert_eq!(redrive(&rig, &letters[2]).await, StatusCode::CONFLICT);
    for letter in &letters {
        let path = format!("/{}", letter["id"]);
        assert_eq!(ask(&rig, Method::DELETE, &path).await.0, StatusCode::NO_CONTENT);
        assert_eq!(ask(&rig, Method::DELETE, &path).await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&rig, Method::GET, &path).await.0, StatusCode::NOT_FOUND);
    }
    assert!(list(&rig).await.is_empty());
    for wrong in ["/x", "/-1", "/0", "/18446744073709551616"] {
        assert_eq!(
            ask(&rig, Method::GET, wrong).await.0,
            StatusCode::NOT_FOUND,
            "{wrong}"
        );
    }
    for wrong in ["?limit=0", "?limit=101", "?cursor=x", "?colour=red"] {
        assert_eq!(
            ask(&rig, Method::GET, wrong).await.0,
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_result_is_applied_once_however_many_send_it_back() {
    let rig = Rig::without_sweeper().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let task = rig.pull(Stage::Scale).await;
    let success = Success {
        outputs: Vec::new(),
        report: serde_json::Map::new(),
    };
    let result = serde_json::to_vec(&task.result(Outcome::Succeeded(success))).unwrap();
    let subject = streams::result(Stage::Scale, task.task.task_id);
    // An API of another release, which could not decode the result, left it like this.
    let headers = [
        (streams::DEAD_SUBJECT_HEADER, subject.as_str()),
        (streams::DEAD_REASON_HEADER, "not a result"),
    ];
    publish(&rig, &streams::dead("results"), &headers, result).await;
    let letter = &list(&rig).await[0];
    assert_eq!(
        (&letter["job_id"], &letter["task_id"]),
        (&job["id"], &json!(task.task.task_id))
    );
    let both = tokio::join!(redrive(&rig, letter), redrive(&rig, letter));
    assert!(
        both.0 == StatusCode::ACCEPTED || both.1 == StatusCode::ACCEPTED,
        "{both:?}"
    );
    let id = job["id"].as_str().unwrap();
    rig.until_job(id, |job| job["status"] == "succeeded").await;
    assert!(list(&rig).await.is_empty());
    let figures = rig.queue.metrics().await.unwrap();
    assert_eq!(figures.streams[streams::RESULTS].messages, 1);
}

#[tokio::test]
async fn a_task_goes_back_to_its_queue_or_its_stage_is_tried_again() {
    let rig = Rig::without_sweeper().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let first = rig.pull(Stage::Scale).await;
    rig.queue
        .bury("scale", &first.message, "the disk is full")
        .await
        .unwrap();
    let letter = list(&rig).await.remove(0);
    assert_eq!(
        (
            &letter["queue"],
            &letter["deliveries"],
            &letter["job_id"],
            &letter["reason"]
        ),
        (&json!("scale"), &json!(1), &job["id"], &json!("the disk is full"))
    );
    // The task is still queued, so it is refused.
    assert_eq!(redrive(&rig, &letter).await, StatusCode::CONFLICT);
    first.message.ack_with(jetstream::AckKind::Term).await.unwrap();
    until(async || redrive(&rig, &letter).await == StatusCode::ACCEPTED).await;
    let second = rig.pull(Stage::Scale).await;
    assert_eq!(second.task, first.task);

    // A worker does this after its last attempt.
    rig.queue
        .bury("scale", &second.message, "and again")
        .await
        .unwrap();
    let letter = list(&rig).await.remove(0);
    let (code, detail) = (FailureCode::AttemptsExhausted, "none of 5".to_owned());
    rig.answer(&second, Outcome::Failed { code, detail }).await;
    let id = job["id"].as_str().unwrap();
    rig.until_job(id, |job| job["status"] == "failed").await;
    assert_eq!(redrive(&rig, &letter).await, StatusCode::ACCEPTED);
    assert_eq!(redrive(&rig, &letter).await, StatusCode::NOT_FOUND);
    let third = rig.pull(Stage::Scale).await;
    assert_ne!(third.task.task_id, first.task.task_id);
    rig.queue.bury("scale", &third.message, "odd").await.unwrap();
    rig.succeed(&third, json!({})).await;
    rig.until_job(id, |job| job["status"] == "succeeded").await;
    // The job ended without the letter.
    let letter = list(&rig).await.remove(0);
    assert_eq!(redrive(&rig, &letter).await, StatusCode::CONFLICT);
}
