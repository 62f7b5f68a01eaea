//! A stream that is played while its film is made.

use super::playback::{get, grant, status, store_captions, store_stream};
use crate::harness::{Pulled, Rig, until};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;
use vidp_contract::{FailureCode, Outcome, Progress, Stage, StreamProgress, keys};

/// The index of the contract's golden file: a part of `720p.cmfv` and `audio-1.cmfa`.
const PART: &str = include_str!("../../../../contract/wire/stream-part.json");
const PLAN: &str = "0123456789abcdef";

/// Submits a job whose film is streamed, and takes its task. Returns its id too.
async fn begin(rig: &Rig) -> (String, Pulled) {
    let options = json!({ "stages": ["scale"], "scale": { "stream": true } });
    let job = rig.submit(&options).await;
    let scale = rig.pull(Stage::Scale).await;
    (job["id"].as_str().unwrap().to_owned(), scale)
}

/// Stores a part of 4 s: an object for each track, and the index.
async fn store_part(rig: &Rig, scale: &Pulled, number: u32) {
    let (prefix, task) = (&scale.task.output_prefix, scale.task.task_id);
    let mut index: Value = serde_json::from_str(PART).unwrap();
    for (place, kind) in ["video", "audio"].into_iter().enumerate() {
        let track = &mut index["set"][kind][0]["track"];
        let ticks = 4 * track["timescale"].as_u64().unwrap();
        track["init"] = json!(4);
        track["start"] = json!(ticks * u64::from(number));
        track["segments"] = json!([[8, ticks, 8]]);
        let key = keys::part_file(prefix, task, kind, Uuid::now_v7(), number as usize);
        let bytes = format!("init{kind}--{number}");
        index["objects"][place]["size"] = json!(bytes.len());
        rig.store.put(&key, bytes.into()).await.unwrap();
        index["objects"][place]["key"] = json!(key);
    }
    store_index(rig, scale, number, &index).await;
}

async fn store_index(rig: &Rig, scale: &Pulled, number: u32, index: &Value) {
    let key = keys::stream_part(&scale.task.output_prefix, scale.task.task_id, PLAN, number);
    let bytes = index.to_string().into_bytes();
    rig.store.put_if_absent(&key, bytes).await.unwrap();
}

/// Reports the number of parts that can be played.
async fn report(rig: &Rig, scale: &Pulled, parts: u32) {
    let stream = Some(StreamProgress {
        plan: PLAN.to_owned(),
        parts,
    });
    let progress = Progress {
        stream,
        ..scale.progress(0.5)
    };
    rig.queue.progress(&progress).await.unwrap();
}

async fn text(url: &str) -> String {
    let answer = get(url).await;
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    answer.text().await.unwrap()
}

/// The text of a playlist as soon as it has these words.
async fn text_with(url: &str, words: &str) -> String {
    until(async || text(url).await.contains(words)).await;
    text(url).await
}

#[tokio::test]
async fn a_stream_grows_until_it_is_complete() {
    let rig = Rig::without_sweeper().await;
    let options = json!({ "stages": ["scale", "subtitle"], "scale": { "stream": true }, "subtitle": { "language": "fr" } });
    let job = rig.submit(&options).await;
    let id = job["id"].as_str().unwrap();
    assert_eq!(job["playable_at"], Value::Null);
    let (scale, subtitle) = (rig.pull(Stage::Scale).await, rig.pull(Stage::Subtitle).await);
    store_part(&rig, &scale, 0).await;
    report(&rig, &scale, 1).await;
    let playable = rig.until_job(id, |job| job["playable_at"].is_string()).await;

    let (folder, dash) = grant(&rig, id, 600).await;
    assert_eq!(dash, Value::Null);
    let url = |file: &str| format!("{folder}{file}");
    let master = text(&url("master.m3u8")).await;
    for expected in [
        "\ngrowing-720p.m3u8\n",
        "\"growing-audio-1.m3u8\"",
        "\"growing-captions.m3u8\"",
        "LANGUAGE=\"fr\"",
        "#EXT-X-START:",
    ] {
        assert!(master.contains(expected), "{expected}: {master}");
    }
    let list = url("growing-720p.m3u8");
    let first = text(&list).await;
    assert!(first.ends_with("\ngrowing-720p-00000.cmfv\n"), "{first}");
    let captions = text(&url("growing-captions.m3u8")).await;
    assert!(captions.ends_with("\ngrowing-captions.vtt\n"), "{captions}");
    assert_eq!(text(&url("growing-captions.vtt")).await, "WEBVTT\n");
    let manifest = get(&url("manifest.mpd")).await;
    assert_eq!(manifest.status(), StatusCode::NOT_FOUND);
    assert!(manifest.text().await.unwrap().contains("play this one by HLS"));
    for file in [
        "720p.m3u8",
        "720p.cmfv",
        "subtitles.vtt",
        "storyboard.jpg",
        "growing-480p.m3u8",
        "growing-720p-00001.cmfv",
        "growing-",
    ] {
        assert_eq!(status(&url(file)).await, 404, "{file}");
    }

    store_part(&rig, &scale, 1).await;
    report(&rig, &scale, 2).await;
    let second = text_with(&list, "growing-720p-00001.cmfv").await;
    assert!(second.starts_with(&first), "{second}");
    assert!(!second.contains("#EXT-X-ENDLIST"), "{second}");
    let moved = get(&url("growing-720p-00001.cmfv")).await;
    assert_eq!(moved.status(), StatusCode::TEMPORARY_REDIRECT);
    let place = moved.headers()["location"].to_str().unwrap().to_owned();
    let segment = Client::new()
        .get(place)
        .header("range", "bytes=4-11")
        .send()
        .await
        .unwrap();
    assert_eq!(segment.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(segment.bytes().await.unwrap(), "video--1");

    store_captions(&rig, &subtitle).await;
    text_with(&url("growing-captions.m3u8"), "\nsubtitles.vtt\n").await;
    assert_eq!(status(&url("subtitles.vtt")).await, 200);

    // The report of the last part is lost.
    store_part(&rig, &scale, 2).await;
    store_stream(&rig, &scale).await;
    let complete = text_with(&list, "#EXT-X-ENDLIST").await;
    assert!(complete.starts_with(&second), "{complete}");
    assert!(complete.contains("growing-720p-00002.cmfv"), "{complete}");
    assert_eq!(status(&url("growing-audio-1-00002.cmfa")).await, 307);
    let captions = text(&url("growing-captions.m3u8")).await;
    assert!(captions.ends_with("#EXT-X-ENDLIST\n"), "{captions}");

    // A new viewer plays the complete stream.
    let master = text(&url("master.m3u8")).await;
    assert!(
        master.contains("\n720p.m3u8\n") && !master.contains("growing"),
        "{master}"
    );
    assert_eq!(status(&url("manifest.mpd")).await, 200);
    let (_, dash) = grant(&rig, id, 600).await;
    assert!(dash.is_string(), "{dash}");
    assert_eq!(rig.job(id).await["playable_at"], playable["playable_at"]);
}

#[tokio::test]
async fn the_stream_of_a_failed_job_ends() {
    let rig = Rig::with(&[
        ("VIDP_PLAY_PROXY", "true".to_owned()),
        ("VIDP_STALE_SECONDS", "600".to_owned()),
    ])
    .await;
    let (id, scale) = begin(&rig).await;
    store_part(&rig, &scale, 0).await;
    report(&rig, &scale, 1).await;
    rig.until_job(&id, |job| job["playable_at"].is_string()).await;

    let (folder, _) = grant(&rig, &id, 600).await;
    let list = format!("{folder}growing-720p.m3u8");
    let first = text(&list).await;
    assert!(first.ends_with("\ngrowing-720p-00000.cmfv\n"), "{first}");
    let piece = Client::new()
        .get(format!("{folder}growing-720p-00000.cmfv"))
        .header("range", "bytes=4-11")
        .send()
        .await
        .unwrap();
    assert_eq!(piece.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(piece.headers()["content-range"], "bytes 4-11/12");
    assert_eq!(piece.headers()["content-type"], "video/mp4");
    assert_eq!(piece.headers()["cache-control"], "private, max-age=60");
    assert_eq!(piece.bytes().await.unwrap(), "video--0");

    let detail = "a reason".to_owned();
    let code = FailureCode::Internal;
    rig.answer(&scale, Outcome::Failed { code, detail }).await;
    let ended = text_with(&list, "#EXT-X-ENDLIST").await;
    assert_eq!(ended, first + "#EXT-X-ENDLIST\n");
    let master = text(&format!("{folder}master.m3u8")).await;
    assert!(master.contains("\ngrowing-720p.m3u8\n"), "{master}");
    assert!(!master.contains("#EXT-X-START"), "{master}");
    let (_, dash) = grant(&rig, &id, 600).await;
    assert_eq!(dash, Value::Null);
}

#[tokio::test]
async fn a_part_that_cannot_be_used_ends_the_lists() {
    let rig = Rig::without_sweeper().await;
    let (id, scale) = begin(&rig).await;
    store_part(&rig, &scale, 0).await;
    store_index(&rig, &scale, 1, &json!({})).await;
    store_part(&rig, &scale, 2).await;
    report(&rig, &scale, 3).await;
    rig.until_job(&id, |job| job["playable_at"].is_string()).await;
    let (folder, _) = grant(&rig, &id, 600).await;
    let list = text(&format!("{folder}growing-720p.m3u8")).await;
    assert!(
        list.ends_with("\ngrowing-720p-00000.cmfv\n#EXT-X-ENDLIST\n"),
        "{list}"
    );
}

#[tokio::test]
async fn a_stream_without_its_first_part_is_not_found() {
    let rig = Rig::without_sweeper().await;
    let (id, scale) = begin(&rig).await;
    report(&rig, &scale, 1).await;
    rig.until_job(&id, |job| job["playable_at"].is_string()).await;
    let (folder, _) = grant(&rig, &id, 600).await;
    for file in ["master.m3u8", "growing-720p.m3u8", "growing-720p-00000.cmfv"] {
        assert_eq!(status(&format!("{folder}{file}")).await, 404, "{file}");
    }
}
