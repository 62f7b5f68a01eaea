//! The embed page: a player in a frame of another site.

use super::playback::{get, played, status};
use crate::harness::Rig;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use serde_json::Value;
use url::Url;

#[tokio::test]
async fn the_page_of_a_grant_may_be_shown_in_a_frame() {
    let ancestors = "https://shop.example *.example.com";
    let rig = Rig::with(&[("VIDP_EMBED_FRAME_ANCESTORS", ancestors.to_owned())]).await;
    let id = played(&rig).await;
    let granted: Value = rig.post(&id, "playback").await.json().await.unwrap();
    let path = granted["embed"].as_str().unwrap();
    let grant = path.strip_prefix("/embed/").unwrap();
    assert_eq!(granted["hls"], format!("/api/v1/play/{grant}/master.m3u8"));

    let address = Url::parse(&rig.url).unwrap().join(path).unwrap();
    let page = get(address.as_str()).await;
    assert_eq!(page.status(), StatusCode::OK);
    let headers = page.headers().clone();
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(!headers.contains_key("x-frame-options"), "{headers:?}");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.ends_with(&format!("; frame-ancestors {ancestors}")),
        "{policy}"
    );
    assert!(policy.contains(rig.setting("VIDP_S3_ENDPOINT")), "{policy}");

    // The page names its files by relative URLs, for a proxy that publishes it below a path.
    let text = page.text().await.unwrap();
    let files: Vec<_> = text
        .split('"')
        .filter(|part| part.starts_with("../web/"))
        .collect();
    assert!(files.contains(&"../web/js/embed.js"), "{files:?}");
    for file in files {
        assert_eq!(status(address.join(file).unwrap().as_str()).await, 200, "{file}");
    }

    // The playlists refuse a grant that was revoked, and the page shows it.
    let url = format!("{}/{id}/playback", rig.jobs_url());
    let revoked = rig.http.delete(&url).send().await.unwrap();
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    assert_eq!(status(address.as_str()).await, 200);
    let metrics = format!("{}/metrics", rig.probes);
    let metrics = rig.http.get(metrics).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("route=\"/embed/{grant}\""), "{metrics}");
    assert!(!metrics.contains(grant), "{metrics}");
}

#[tokio::test]
async fn only_pages_of_grants_may_be_shown_in_a_frame() {
    let rig = Rig::new().await;
    // A grant that nothing signed.
    let grant = URL_SAFE_NO_PAD.encode([0; 40]);
    let page = get(&format!("{}/embed/{grant}", rig.url)).await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("; frame-ancestors *"), "{policy}");

    let short = &grant[1..];
    for (path, expected) in [
        (String::new(), 200),
        ("docs".to_owned(), 200),
        ("web/js/embed.js".to_owned(), 200),
        ("web/embed.html".to_owned(), 404),
        ("embed/x".to_owned(), 404),
        (format!("embed/{short}"), 404),
        (format!("embed/{short}."), 404),
        (format!("embed/{grant}A"), 404),
        (format!("embed/{grant}/"), 404),
        (format!("embed/{}", grant.repeat(50)), 404),
        (format!("embed/{short}%ff"), 404),
    ] {
        let answer = get(&format!("{}/{path}", rig.url)).await;
        assert_eq!(answer.status().as_u16(), expected, "{path}");
        let headers = answer.headers();
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
}
