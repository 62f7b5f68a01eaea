//! A long film is shared by several workers.

use crate::{
    failures::kill,
    media::make,
    stack::{Stack, http, up},
};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

const SECONDS: u32 = 60;

/// Number of pictures of each key frame interval, from the packets of the video.
fn pictures(path: &Path) -> Vec<usize> {
    let args = "-v error -select_streams v:0 -show_entries packet=flags -of csv=p=0";
    let done = Command::new("ffprobe")
        .args(args.split(' '))
        .arg(path)
        .output()
        .unwrap();
    let mut counts = Vec::new();
    for flags in String::from_utf8(done.stdout).unwrap().lines() {
        if flags.starts_with('K') {
            counts.push(0);
        }
        *counts.last_mut().expect("a key frame first") += 1;
    }
    counts
}

/// Parts that a worker has made of films of others.
async fn made_for_others(stack: &Stack, service: &str) -> f64 {
    let metrics = stack.service(service)["metrics"].as_str().unwrap().to_owned();
    let text = http().get(metrics).send().await.unwrap().text().await.unwrap();
    let mut lines = text.lines();
    let made = |line: &&str| line.starts_with("vidp_parts_total") && line.contains("\"made\"");
    lines
        .find(made)
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn several_workers_share_a_film_and_one_that_dies_costs_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = up(&data, 0);
    command
        .args(["--scale-workers", "3"])
        .env("VIDP_PART_SECONDS", "2");
    let stack = Stack::start_as(&data, command);
    let args = format!(
        "-f lavfi -i testsrc2=s=640x360:r=25:d={SECONDS} -f lavfi -i sine=beep_factor=4:d={SECONDS} -c:v libx264 \
         -preset ultrafast -g 50 -c:a aac"
    );
    let film = make(folder.path(), "film.mp4", &args);
    let options = json!({ "stages": ["scale"], "scale": { "renditions": ["360p"] } });
    let job = stack.submit(&film, "film.mp4", &options).await;
    let parts = |job: &Value| job["stages"]["scale"]["parts"].clone();
    let shared = stack
        .until(&job["id"], |job| {
            parts(job)["running"].as_u64() > Some(1) && parts(job)["done"].as_u64() > Some(1)
        })
        .await;
    assert_eq!(parts(&shared)["total"], SECONDS / 2, "{shared:#}");
    kill(&stack.service("scale-2")["pid"]);
    let job = stack.ended(&job["id"]).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert_eq!(parts(&job), Value::Null);

    let path = folder.path().join("360p.mp4");
    std::fs::write(&path, stack.output(&job, "scale", "360p.mp4").await).unwrap();
    assert_eq!(pictures(&path), [50; SECONDS as usize / 2]);
    let mut made = 0.0;
    for service in ["scale-1", "scale-2", "scale-3"] {
        made += made_for_others(&stack, service).await;
    }
    assert!(made > 0.0);
    assert_eq!(stack.stop(), Some(0));
}
