//! A stream that is played while its film is made.

use crate::{
    failures::kill,
    media::make,
    stack::{Stack, http, until, up},
};
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

const SECONDS: u32 = 40;
const RATE: u32 = 25;

/// The text at a path of the system.
async fn text(stack: &Stack, path: &str) -> String {
    let url = format!("{}{path}", stack.url);
    let answer = http().get(url).send().await.unwrap();
    answer.error_for_status().unwrap().text().await.unwrap()
}

/// A grant of playback.
async fn playback(stack: &Stack, id: &Value) -> Value {
    let url = format!("{}/{}/playback", stack.jobs_url(), id.as_str().unwrap());
    let answer = http().post(url).json(&json!({})).send().await.unwrap();
    answer.error_for_status().unwrap().json().await.unwrap()
}

/// The hash of each track's packets, as ffmpeg reads them.
fn hashes(input: &str) -> Vec<String> {
    let args = ["-v", "fatal", "-i", input, "-map", "0:v", "-c", "copy"];
    let mut ffmpeg = Command::new("ffmpeg");
    let done = ffmpeg
        .args(args)
        .args(["-f", "streamhash", "-hash", "md5", "-"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(errors.is_empty(), "{input}: {errors}");
    let lines = String::from_utf8(done.stdout).unwrap();
    lines.lines().map(str::to_owned).collect()
}

/// The bytes that ffmpeg decodes from a file or a playlist.
fn decoded(input: &str, output: &str) -> usize {
    let mut ffmpeg = Command::new("ffmpeg");
    let done = ffmpeg
        .args(["-v", "fatal", "-i", input])
        .args(output.split(' '))
        .output()
        .unwrap();
    assert!(
        done.stderr.is_empty(),
        "{input}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    done.stdout.len()
}

/// Number of samples of sound.
fn samples(input: &str) -> usize {
    decoded(input, "-map 0:a -ac 1 -f s16le -") / 2
}

/// Number of pictures.
fn pictures(input: &str) -> usize {
    decoded(
        input,
        "-map 0:v -s 16x16 -pix_fmt gray -fps_mode passthrough -f rawvideo -",
    ) / 256
}

/// The text at a path, as soon as it has these words.
async fn text_until(stack: &Stack, path: &str, words: &str) -> String {
    let mut found = String::new();
    until(Duration::from_secs(30), async || {
        found = text(stack, path).await;
        found.contains(words)
    })
    .await;
    found
}

/// Only appends: the longer list begins with the shorter one.
fn continues(shorter: &str, longer: &str) {
    let begun = shorter.trim_end_matches("#EXT-X-ENDLIST\n");
    assert!(longer.starts_with(begun), "{shorter}\n{longer}");
}

#[tokio::test]
async fn a_stream_grows_while_its_film_is_made_and_a_worker_dies() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = up(&data, 0);
    command.env("VIDP_PART_SECONDS", "2");
    let stack = Stack::start_as(&data, command);
    let args = format!(
        "-f lavfi -i testsrc2=s=640x360:r={RATE}:d={SECONDS} -f lavfi -i sine=beep_factor=4:d={SECONDS} -c:v libx264 \
         -preset ultrafast -g 50 -c:a aac"
    );
    let film = make(folder.path(), "film.mp4", &args);
    let options = json!({ "stages": ["scale"], "scale": { "renditions": ["240p", "144p"], "stream": true } });
    let job = stack.submit(&film, "film.mp4", &options).await;
    let id = &job["id"];
    let playable = stack.until(id, |job| job["playable_at"].is_string()).await;
    assert_eq!(playable["status"], "running", "{playable:#}");
    let early = playback(&stack, id).await;
    assert_eq!(early["dash"], Value::Null);
    let master_url = early["hls"].as_str().unwrap();
    let list_url = master_url.replace("master.m3u8", "growing-240p.m3u8");
    let master = text(&stack, master_url).await;
    let first = text(&stack, &list_url).await;
    for line in ["#EXT-X-PLAYLIST-TYPE:EVENT", "growing-240p-00000.cmfv"] {
        assert!(first.contains(line), "{first}");
    }
    assert!(!first.contains("#EXT-X-ENDLIST"), "{first}");
    assert!(
        master.contains("growing-144p.m3u8") && master.contains("growing-audio-1.m3u8"),
        "{master}"
    );

    kill(&stack.service("scale-1")["pid"]);
    let job = stack.ended(id).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert!(
        job["stages"]["scale"]["attempt"].as_u64() > Some(1),
        "the film was interrupted: {job:#}"
    );
    assert_eq!(job["playable_at"], playable["playable_at"]);
    let complete = text_until(&stack, &list_url, "#EXT-X-ENDLIST").await;
    continues(&first, &complete);

    let early_url = format!("{}{list_url}", stack.url);
    let path = folder.path().join("240p.mp4");
    std::fs::write(&path, stack.output(&job, "scale", "240p.mp4").await).unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(
        hashes(&early_url),
        hashes(path),
        "the samples are those of the MP4 file"
    );
    let sound_url = early_url.replace("growing-240p", "growing-audio-1");
    assert_eq!(samples(&sound_url), samples(path));
    assert_eq!(pictures(&early_url), (SECONDS * RATE) as usize);

    let late = playback(&stack, id).await;
    assert!(late["dash"].is_string(), "{late}");
    let master = text(&stack, late["hls"].as_str().unwrap()).await;
    assert!(!master.contains("growing"), "{master}");
    assert_eq!(stack.stop(), Some(0));
}
