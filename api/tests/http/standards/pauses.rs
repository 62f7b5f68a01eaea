//! `Retry-After` of receivers of webhooks and of servers with sources (RFC 9110, section 10.2.3).

use crate::harness::{Rig, until};
use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    routing::any,
};
use bson::DateTime;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    ops::RangeInclusive,
    time::{Duration, SystemTime},
};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use vidp_contract::Stage;

/// Statuses and values of `Retry-After`, by the path at which the server answers so.
fn answers() -> HashMap<&'static str, (u16, Option<String>, RangeInclusive<i64>)> {
    let in_a_minute = OffsetDateTime::from(SystemTime::now() + Duration::from_secs(60));
    let date = in_a_minute.format(&Rfc2822).unwrap().replace("+0000", "GMT");
    let text = |value: &str| Some(value.to_owned());
    HashMap::from([
        ("/seconds", (429, text("20"), 19..=24)),
        ("/busy", (503, text("20"), 19..=24)),
        ("/error", (500, text("20"), 19..=24)),
        ("/date", (503, Some(date), 55..=66)),
        ("/soon", (429, text("0"), 0..=7)),
        ("/negative", (429, text("-1"), 0..=7)),
        ("/year", (429, text("31536000"), 3590..=3790)),
        ("/rubbish", (503, text("when it is ready"), 0..=7)),
        ("/none", (503, None, 0..=7)),
    ])
}

/// Starts a server with these answers, and returns its URL.
async fn server() -> String {
    let mut routes = Router::new();
    for (path, (status, value, _)) in answers() {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        routes = routes.route(path, any(async move || (status, headers.clone())));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

async fn rig() -> Rig {
    Rig::with(&[
        ("VIDP_OUTBOUND_ALLOW", "127.0.0.1/32".to_owned()),
        ("VIDP_WEBHOOK_RETRY_SECONDS", "5,5".to_owned()),
        ("VIDP_FETCH_URLS", "true".to_owned()),
        ("VIDP_STALE_SECONDS", "600".to_owned()),
    ])
    .await
}

/// Seconds between two times.
fn between(from: &Value, to: &Value) -> i64 {
    let milliseconds = |time: &Value| {
        let time = time.as_str().unwrap();
        DateTime::parse_rfc3339_str(time).unwrap().timestamp_millis()
    };
    (milliseconds(to) - milliseconds(from)) / 1000
}

#[tokio::test]
async fn a_receiver_is_asked_again_when_it_wants() {
    let (rig, url) = (rig().await, server().await);
    let hooks = format!("{}/api/v1/webhooks", rig.url);
    let mut receivers = Vec::new();
    for (path, (_, _, pause)) in answers() {
        let body = json!({ "url": format!("{url}{path}") });
        let answer = rig.http.post(&hooks).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let hook: Value = answer.json().await.unwrap();
        receivers.push((path, pause, hook["id"].as_str().unwrap().to_owned()));
    }
    rig.submit(&json!({ "stages": ["scale"] })).await;
    let scale = rig.pull(Stage::Scale).await;
    rig.succeed(&scale, json!({})).await;
    for (path, pause, id) in receivers {
        let newest = async || {
            let answer = rig
                .http
                .get(format!("{hooks}/{id}/deliveries"))
                .send()
                .await
                .unwrap();
            answer.json::<Value>().await.unwrap()["data"][0].clone()
        };
        until(async || !newest().await["attempts"][0].is_null()).await;
        let delivery = newest().await;
        assert_eq!(delivery["state"], "pending", "{path}: {delivery}");
        let attempts = delivery["attempts"].as_array().unwrap();
        let seconds = between(&attempts.last().unwrap()["at"], &delivery["next_attempt_at"]);
        assert!(pause.contains(&seconds), "{path}: {seconds} s after {delivery}");
    }
}

#[tokio::test]
async fn a_server_with_sources_is_asked_again_when_it_wants() {
    let (rig, url) = (rig().await, server().await);
    for (path, (_, _, pause)) in answers() {
        let source = json!({ "url": format!("{url}{path}") });
        let body = json!({ "source": source, "options": { "stages": ["scale"], "external_id": path } });
        let answer = rig.http.post(rig.jobs_url()).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{path}");
        let begun = DateTime::now().timestamp_millis();
        let next = async || {
            let stored = rig.stored("jobs", None).await;
            let job = stored
                .iter()
                .find(|job| job.get_str("external_id").is_ok_and(|id| id == path))
                .unwrap();
            let fetch = job.get_document("fetch").unwrap();
            let next = fetch.get_datetime("next_at").unwrap().timestamp_millis();
            // A fetch is claimed for 20 s; the outcome replaces the claim.
            (
                fetch
                    .get_i64("tries")
                    .or(fetch.get_i32("tries").map(i64::from))
                    .unwrap(),
                next,
            )
        };
        until(async || {
            let (tries, next) = next().await;
            tries == 1 && pause.contains(&((next - begun) / 1000)) || tries > 1
        })
        .await;
        assert!(
            next().await.0 == 1 || *pause.start() == 0,
            "{path} was asked too early"
        );
    }
}
