//! Grants, playlists and the files that playlists name.

use crate::harness::{Guarded, Pulled, Rig, until};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::{Value, json};
use uuid::Uuid;
use vidp_contract::{Outcome, OutputFile, Stage, SubtitleFormat, Success};

/// The index of the contract's golden file: `720p.cmfv` and `audio-1.cmfa`.
const INDEX: &[u8] = include_bytes!("../../../../contract/wire/stream-set.json");
const TRACK: &[u8] = b"init segments";

/// A job whose stage `scale` has a stream, and whose stage `subtitle` has captions.
pub(super) async fn played(rig: &Rig) -> String {
    let options = json!({ "stages": ["scale", "subtitle"], "scale": { "stream": true }, "subtitle": { "language": "en" } });
    let job = rig.submit(&options).await;
    let id = job["id"].as_str().unwrap().to_owned();
    let early = rig.post(&id, "playback").await;
    assert_eq!(early.status(), StatusCode::CONFLICT);

    store_stream(rig, &rig.pull(Stage::Scale).await).await;
    store_captions(rig, &rig.pull(Stage::Subtitle).await).await;
    rig.until_job(&id, |job| job["status"] == "succeeded").await;
    id
}

/// Ends the stage `scale` with a stream.
pub(super) async fn store_stream(rig: &Rig, scale: &Pulled) {
    store_stream_with(rig, scale, &[], json!({})).await;
}

/// Ends the stage `scale` with a stream, more files and this report.
async fn store_stream_with(rig: &Rig, scale: &Pulled, more: &[(OutputFile, &[u8])], report: Value) {
    let attempt = Uuid::now_v7();
    let mut outputs = Vec::new();
    let files = [
        (OutputFile::STREAM, INDEX),
        (OutputFile::stream_video(720), TRACK),
        (OutputFile::stream_audio(1), TRACK),
        (OutputFile::STORYBOARD, b"image"),
        (OutputFile::POSTER, b"image"),
    ];
    for (file, bytes) in files.iter().chain(more) {
        outputs.push(rig.output_of(scale, attempt, file, bytes).await);
    }
    let report = report.as_object().unwrap().clone();
    rig.answer(scale, Outcome::Succeeded(Success { outputs, report }))
        .await;
}

/// Ends the stage `subtitle` with captions.
pub(super) async fn store_captions(rig: &Rig, subtitle: &Pulled) {
    let file = OutputFile::subtitle(SubtitleFormat::Vtt);
    let outputs = vec![rig.output(subtitle, &file, b"WEBVTT").await];
    let report = json!({
        "language": { "code": "en", "name": "English" }, "translated": false, "speech_seconds": 1.0, "cues": 1,
        "words": 2, "rules_kept": 1.0, "track": 1, "channel": null
    });
    let report = report.as_object().unwrap().clone();
    rig.answer(subtitle, Outcome::Succeeded(Success { outputs, report }))
        .await;
}

/// The URL of the directory of a grant that lasts this long, for a complete stream.
async fn granted(rig: &Rig, id: &str, seconds: u32) -> String {
    let (folder, dash) = grant(rig, id, seconds).await;
    let path = folder.strip_prefix(&rig.url).unwrap();
    assert_eq!(dash, format!("{path}manifest.mpd"));
    folder
}

/// The URL of the directory of a grant, and the path of the manifest of DASH.
pub(super) async fn grant(rig: &Rig, id: &str, seconds: u32) -> (String, Value) {
    let url = format!("{}/{id}/playback", rig.jobs_url());
    let answer = rig
        .http
        .post(url)
        .json(&json!({ "seconds": seconds }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body: Value = answer.json().await.unwrap();
    let folder = body["hls"].as_str().unwrap().strip_suffix("master.m3u8").unwrap();
    assert!(body["expires_at"].is_string());
    (format!("{}{folder}", rig.url), body["dash"].clone())
}

/// A request of a player, which has no key.
pub(super) async fn get(url: &str) -> Response {
    let player = Client::builder()
        .redirect(redirect::Policy::none())
        .build()
        .unwrap();
    player
        .get(url)
        .header("origin", "https://any.example")
        .send()
        .await
        .unwrap()
}

/// The status of a request of a player.
pub(super) async fn status(url: &str) -> u16 {
    get(url).await.status().as_u16()
}

#[tokio::test]
async fn subtitles_of_the_source_are_in_the_stream() {
    let rig = Rig::with(&[("VIDP_PLAY_PROXY", "true".to_owned())]).await;
    let options = json!({ "stages": ["scale"], "scale": { "stream": true } });
    let job = rig.submit(&options).await;
    let id = job["id"].as_str().unwrap();
    let report = json!({
        "captions": [{ "name": "captions-1.vtt", "language": "fre", "forced": false, "hearing_impaired": true }],
        "streams": [{ "kind": "captions", "codec": "eia_608", "fate": "kept" }],
    });
    let file: (_, &[u8]) = (OutputFile::captions(1), b"WEBVTT\n");
    store_stream_with(&rig, &rig.pull(Stage::Scale).await, &[file], report).await;
    rig.until_job(id, |job| job["status"] == "succeeded").await;

    let folder = granted(&rig, id, 60).await;
    let master = get(&format!("{folder}master.m3u8")).await.text().await.unwrap();
    for expected in [
        "NAME=\"French (SDH)\",LANGUAGE=\"fr\"",
        "INSTREAM-ID=\"CC1\"",
        "SUBTITLES=\"captions\",CLOSED-CAPTIONS=\"closed\"",
    ] {
        assert!(master.contains(expected), "{expected}: {master}");
    }
    let list = get(&format!("{folder}captions-1.m3u8"))
        .await
        .text()
        .await
        .unwrap();
    assert!(list.contains("\ncaptions-1.vtt\n"), "{list}");
    let captions = get(&format!("{folder}captions-1.vtt")).await;
    assert_eq!(captions.headers()["content-type"], "text/vtt; charset=utf-8");
    assert_eq!(captions.bytes().await.unwrap(), "WEBVTT\n");
    assert_eq!(status(&format!("{folder}captions-2.vtt")).await, 404);
    let manifest = get(&format!("{folder}manifest.mpd")).await.text().await.unwrap();
    assert!(
        manifest.contains(
            "<Label>French (SDH)</Label>\n<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"caption\"/>"
        ),
        "{manifest}"
    );
}

#[tokio::test]
async fn a_player_needs_a_grant_and_no_key() {
    let guarded = Guarded::new().await;
    let (key, foreign) = (
        guarded.key("acme", &["jobs:read", "jobs:write"]).await,
        guarded.key("other", &["jobs:read"]).await,
    );
    let writer = guarded.key("acme", &["jobs:create"]).await;
    let rig = guarded.rig.with_key(&key);
    let id = played(&rig).await;
    let ask = async |key: &str| {
        let url = format!("{}/{id}/playback", rig.jobs_url());
        Client::new()
            .post(url)
            .bearer_auth(key)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!((ask(&foreign).await, ask(&writer).await), (404, 403));

    let folder = granted(&rig, &id, 600).await;
    let master = get(&format!("{folder}master.m3u8")).await;
    assert_eq!(master.status(), StatusCode::OK);
    let headers = master.headers().clone();
    assert_eq!(headers["content-type"], "application/vnd.apple.mpegurl");
    assert_eq!(headers["access-control-allow-origin"], "*");
    let text = master.text().await.unwrap();
    for expected in [
        "720p.m3u8",
        "audio-1.m3u8",
        "captions.m3u8",
        "LANGUAGE=\"en\"",
        "storyboard.m3u8",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let again = Client::new()
        .get(format!("{folder}master.m3u8"))
        .header("if-none-match", &headers["etag"]);
    assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
    let manifest = get(&format!("{folder}manifest.mpd")).await;
    assert_eq!(manifest.headers()["content-type"], "application/dash+xml");
    let list = get(&format!("{folder}720p.m3u8")).await.text().await.unwrap();
    assert!(list.contains("\n720p.cmfv\n"), "{list}");

    let asked = Client::new().request(reqwest::Method::OPTIONS, format!("{folder}720p.cmfv"));
    let asked = asked
        .header("origin", "https://any.example")
        .header("access-control-request-method", "GET");
    let preflight = asked.send().await.unwrap();
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(preflight.headers()["access-control-allow-headers"], "*");
    let head = Client::new()
        .head(format!("{folder}720p.cmfv"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.status(), &head.headers()["content-length"]),
        (StatusCode::OK, &"13".parse().unwrap())
    );

    // The files are at the store, for players of every origin.
    let moved = get(&format!("{folder}720p.cmfv")).await;
    assert_eq!(moved.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(moved.headers()["access-control-allow-origin"], "*");
    assert_eq!(moved.headers()["cache-control"], "private, max-age=60");
    let place = moved.headers()["location"].to_str().unwrap().to_owned();
    assert!(place.starts_with(rig.setting("VIDP_S3_ENDPOINT")), "{place}");
    let part = Client::new()
        .get(place)
        .header("range", "bytes=5-12")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), "segments");
    for file in ["audio-1.cmfa", "storyboard.jpg", "subtitles.vtt"] {
        assert_eq!(status(&format!("{folder}{file}")).await, 307, "{file}");
    }
    for file in [
        "stream.json",
        "poster.jpg",
        "480p.cmfv",
        "720p.mp4",
        "..%2f720p.cmfv",
        "x",
    ] {
        assert_eq!(status(&format!("{folder}{file}")).await, 404, "{file}");
    }
}

#[tokio::test]
async fn a_grant_ends_by_time_by_revocation_and_with_its_job() {
    let rig = Rig::new().await;
    let id = played(&rig).await;
    let altered = granted(&rig, &id, 600).await;
    let (before, signature) = altered.trim_end_matches('/').split_at(altered.len() - 5);
    let other = if signature.starts_with('A') {
        "BBBB"
    } else {
        "AAAA"
    };
    let refused = get(&format!("{before}{other}/master.m3u8")).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        refused.headers()["access-control-allow-origin"],
        "*",
        "a page can read the reason"
    );

    let short = granted(&rig, &id, 1).await + "master.m3u8";
    until(async || status(&short).await == 404).await;

    let revoked = granted(&rig, &id, 600).await + "720p.m3u8";
    assert_eq!(status(&revoked).await, 200);
    let url = format!("{}/{id}/playback", rig.jobs_url());
    for _ in 0..2 {
        let answer = rig.http.delete(&url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    until(async || status(&revoked).await == 404).await;

    let new = granted(&rig, &id, 600).await + "720p.m3u8";
    assert_eq!(status(&new).await, 200, "at once");
    assert_eq!(status(&revoked).await, 404, "a new key does not renew old grants");
    let answer = rig
        .http
        .delete(format!("{}/{id}", rig.jobs_url()))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    until(async || status(&new).await == 404).await;
}

#[tokio::test]
async fn the_api_sends_the_files_itself_when_the_store_is_hidden() {
    let rig = Rig::with(&[("VIDP_PLAY_PROXY", "true".to_owned())]).await;
    let id = played(&rig).await;
    let url = granted(&rig, &id, 600).await + "720p.cmfv";
    let part = Client::new()
        .get(&url)
        .header("range", "bytes=5-12")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let headers = part.headers().clone();
    assert_eq!(headers["content-range"], "bytes 5-12/13");
    assert_eq!(headers["content-type"], "video/mp4");
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(part.bytes().await.unwrap(), "segments");
    let again = Client::new()
        .get(&url)
        .header("if-none-match", &headers["etag"])
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn requests_of_players_and_of_strangers_are_limited() {
    let guarded = Guarded::with(&[
        ("VIDP_PLAYBACK_REQUESTS_PER_MINUTE", "3".to_owned()),
        ("VIDP_FAILED_KEYS_PER_MINUTE", "2".to_owned()),
    ])
    .await;
    let key = guarded.key("acme", &["jobs:read", "jobs:write"]).await;
    let rig = guarded.rig.with_key(&key);
    let id = played(&rig).await;
    let (one, other) = (granted(&rig, &id, 600).await, granted(&rig, &id, 700).await);
    for expected in [200, 200, 200, 429] {
        assert_eq!(status(&format!("{one}master.m3u8")).await, expected);
    }
    assert_eq!(status(&format!("{other}master.m3u8")).await, 200);

    // Grants that nothing signed: each is a guess.
    let guess = |number: u128| {
        let mut bytes = [0xff; 40];
        bytes[..16].copy_from_slice(&number.to_be_bytes());
        bytes[16..24].copy_from_slice(&4_000_000_000_u64.to_be_bytes());
        let grant = URL_SAFE_NO_PAD.encode(bytes);
        format!("{}/api/v1/play/{grant}/master.m3u8", rig.url)
    };
    let mut answers = Vec::new();
    for number in 0..4 {
        answers.push(status(&guess(number)).await);
    }
    assert_eq!(answers, [404, 404, 429, 429]);
    assert_eq!(
        status(&format!("{other}master.m3u8")).await,
        200,
        "a valid grant still plays"
    );
}

#[tokio::test]
async fn a_job_without_a_stream_says_so() {
    let rig = Rig::new().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let scale = rig.pull(Stage::Scale).await;
    rig.succeed(&scale, json!({})).await;
    rig.until_job(id, |job| job["status"] == "succeeded").await;
    let answer = rig.post(id, "playback").await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let body: Value = answer.json().await.unwrap();
    assert!(
        body["detail"].as_str().unwrap().contains("scale.stream"),
        "{body}"
    );
}
