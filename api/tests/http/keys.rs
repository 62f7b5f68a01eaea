use crate::harness::{Guarded, until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use vidp_record::webhook::Vault;

impl Guarded {
    /// The response of the API at `url` to a list of jobs with this key.
    async fn try_key(&self, url: &str, key: &str) -> (StatusCode, Value) {
        let request = self.rig.http.get(format!("{url}/api/v1/jobs"));
        let answer = request.header("x-api-key", key).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn is_good(&self, key: &str) -> bool {
        self.try_key(&self.rig.url, key).await.0 == StatusCode::OK
    }
}

#[tokio::test]
async fn a_key_is_shown_once_rotated_and_revoked() {
    let rig = Guarded::new().await;
    let body = json!({ "name": "shop", "tenant": "acme", "scopes": ["jobs:read"] });
    let (status, made) = rig.admin("POST", "keys", Some(&body)).await;
    assert_eq!(
        (status, &made["name"], &made["tenant"], &made["scopes"]),
        (
            StatusCode::CREATED,
            &json!("shop"),
            &json!("acme"),
            &json!(["jobs:read"])
        )
    );
    let (id, first) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(rig.is_good(first).await);
    let known = async || rig.admin("GET", &format!("keys/{id}"), None).await.1;
    until(async || known().await["last_used_at"].is_string()).await;
    let (_, list) = rig.admin("GET", "keys?tenant=acme", None).await;
    assert_eq!(list["data"], json!([known().await]));
    let text = list.to_string();
    assert!(!text.contains(&first[38..]) && !text.contains("hash"), "{text}");

    // After a rotation both keys are valid, and a third is refused.
    let rotate = |id: &str| format!("keys/{id}/rotate");
    let (status, second) = rig.admin("POST", &rotate(id), None).await;
    assert_eq!((status, &second["name"]), (StatusCode::CREATED, &json!("shop")));
    let second_key = second["key"].as_str().unwrap();
    assert!(rig.is_good(first).await && rig.is_good(second_key).await);
    let old = known().await;
    assert!(
        old["replaced_by"] == second["id"] && old["expires_at"].is_string(),
        "{old}"
    );
    let second_id = second["id"].as_str().unwrap();
    assert_eq!(rig.admin("POST", &rotate(id), None).await.0, StatusCode::CONFLICT);
    assert_eq!(
        rig.admin("POST", &rotate(second_id), None).await.0,
        StatusCode::CONFLICT
    );

    let (status, _) = rig.admin("DELETE", &format!("keys/{id}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, problem) = rig.try_key(&rig.rig.url, first).await;
    assert_eq!(
        (status, &problem["detail"]),
        (StatusCode::UNAUTHORIZED, &json!("this key has been revoked"))
    );
    assert!(rig.is_good(second_key).await);
    // After the first key is revoked, the second can be rotated. Without an overlap the old key expires at once.
    let none = json!({ "overlap_seconds": 0 });
    let (status, third) = rig.admin("POST", &rotate(second_id), Some(&none)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(rig.is_good(third["key"].as_str().unwrap()).await && !rig.is_good(second_key).await);
}

#[tokio::test]
async fn a_key_ends_at_its_time() {
    let rig = Guarded::new().await;
    let at = OffsetDateTime::now_utc() + Duration::from_secs(5);
    let body = json!({ "name": "short", "expires_at": at.format(&Rfc3339).unwrap() });
    let (_, made) = rig.admin("POST", "keys", Some(&body)).await;
    let key = made["key"].as_str().unwrap();
    assert!(rig.is_good(key).await);
    until(async || !rig.is_good(key).await).await;
    assert!(OffsetDateTime::now_utc() >= at);
    assert_eq!(
        rig.try_key(&rig.rig.url, key).await.1["detail"],
        "this key has expired"
    );
}

#[tokio::test]
async fn another_replica_refuses_a_revoked_key_within_30_seconds() {
    let rig = Guarded::new().await;
    let other = rig.rig.replica().await;
    let key = rig.key("acme", &["jobs:read"]).await;
    let good = async || rig.try_key(&other.url, &key).await.0 == StatusCode::OK;
    assert!(good().await);
    let (_, list) = rig.admin("GET", "keys?tenant=acme", None).await;
    let id = list["data"][0]["id"].as_str().unwrap();
    rig.admin("DELETE", &format!("keys/{id}"), None).await;
    let revoked = Instant::now();
    until(async || !good().await).await;
    assert!(revoked.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn wrong_requests_for_keys_say_what_is_wrong() {
    let rig = Guarded::new().await;
    for (body, part) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "a", "scope": ["admin"] }), "scope"),
        (json!({ "name": "a", "scopes": [] }), "scopes"),
        (json!({ "name": "a", "scopes": ["jobs:all"] }), "jobs:all"),
        (json!({ "name": "a", "tenant": "../b" }), "tenant"),
        (json!({ "name": "a", "tenant": "." }), "tenant"),
        (json!({ "name": "a", "tenant": ".." }), "tenant"),
        (
            json!({ "name": "a", "expires_at": "2020-01-01T00:00:00Z" }),
            "expires_at",
        ),
    ] {
        let (status, problem) = rig.admin("POST", "keys", Some(&body)).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            status == StatusCode::BAD_REQUEST && detail.contains(part),
            "{body}: {problem}"
        );
    }
    for path in ["keys/nothing", "keys/01890000-0000-7000-8000-000000000000"] {
        assert_eq!(rig.admin("DELETE", path, None).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn keys_and_webhook_secrets_survive_a_new_server_secret() {
    let mut rig = Guarded::new().await;
    let (used, unused) = (
        rig.key("acme", &["jobs:read"]).await,
        rig.key("acme", &["jobs:read"]).await,
    );
    let hooks = rig.key("acme", &["webhooks:write"]).await;
    let url = format!("{}/api/v1/webhooks", rig.rig.url);
    let hook = json!({ "url": "https://example.com/" });
    let made = rig
        .rig
        .http
        .post(url)
        .bearer_auth(&hooks)
        .json(&hook)
        .send()
        .await
        .unwrap();
    let made: Value = made.json().await.unwrap();
    let webhook = made["id"].as_str().unwrap().parse().unwrap();

    let old = rig.rig.setting("VIDP_KEY_SECRET").to_owned();
    let new = "another secret that only the tests use";
    rig.rig.stop_api();
    rig.rig.set_env("VIDP_KEY_SECRET", Some(new));
    rig.rig.set_env("VIDP_KEY_SECRET_PREVIOUS", Some(&old));
    rig.rig.start_api().await;
    let before = rig.rig.stored("keys", None).await;
    assert!(rig.is_good(&used).await);
    let hash = |documents: &[bson::Document]| {
        let key = documents
            .iter()
            .find(|key| used[5..].starts_with(&key.get_str("_id").unwrap().replace('-', "")));
        key.unwrap().get_str("hash").unwrap().to_owned()
    };
    until(async || hash(&rig.rig.stored("keys", None).await) != hash(&before)).await;
    // The secrets of webhooks are encrypted again without a use.
    let vault = Vault::new(new, "");
    let secret = async || {
        let hooks = rig.rig.stored("webhooks", None).await;
        let secrets = hooks[0].get_array("secrets").unwrap();
        let stored = secrets[0]
            .as_document()
            .unwrap()
            .get_str("key")
            .unwrap()
            .to_owned();
        vault.open(webhook, &stored)
    };
    until(async || secret().await.as_deref() == made["secret"].as_str()).await;

    rig.rig.stop_api();
    rig.rig.set_env("VIDP_KEY_SECRET_PREVIOUS", None);
    rig.rig.start_api().await;
    assert!(rig.is_good(&used).await);
    assert_eq!(
        rig.try_key(&rig.rig.url, &unused).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_key_of_an_earlier_release_keeps_its_webhooks() {
    let rig = Guarded::new().await;
    let both = ["jobs:read", "jobs:write"];
    let key = rig.key("acme", &both).await;
    let (_, list) = rig.admin("GET", "keys", None).await;
    assert_eq!(list["data"][0]["scopes"], json!(both));
    let url = format!("{}/api/v1/webhooks", rig.rig.url);
    let webhooks = async |key: &str| {
        let answer = rig.rig.http.get(&url).bearer_auth(key).send().await.unwrap();
        answer.status()
    };
    assert_eq!(webhooks(&key).await, StatusCode::FORBIDDEN);
    let earlier = bson::doc! { "$unset": { "scopes_version": "" } };
    rig.rig.stored("keys", Some(earlier)).await;
    until(async || webhooks(&key).await == StatusCode::OK).await;
    let (_, list) = rig.admin("GET", "keys", None).await;
    let all = ["jobs:read", "jobs:write", "webhooks:read", "webhooks:write"];
    assert_eq!(list["data"][0]["scopes"], json!(all));
}
