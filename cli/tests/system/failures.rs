use crate::{
    media::{make, sample},
    stack::{Stack, http, until},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) fn kill(pid: &Value) {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    // SAFETY: a plain system call; the process is one that the test's own system started.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
}

/// Makes 60 s of video with speech: long enough to be interrupted.
fn film(folder: &std::path::Path) -> std::path::PathBuf {
    let voice = sample("speech/en.ogg");
    let args = format!(
        "-f lavfi -i testsrc2=s=1280x720:r=25:d=60 -stream_loop -1 -i {} -t 60 -c:v libx264 -preset ultrafast -pix_fmt \
         yuv420p -c:a aac",
        voice.display()
    );
    make(folder, "film.mp4", &args)
}

/// The child processes of a process.
fn children(pid: &Value) -> Vec<i32> {
    let path = format!("/proc/{pid}/task");
    let tasks = std::fs::read_dir(path).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_its_work_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(&folder.path().join("data"));
    let job = stack
        .submit(&film(folder.path()), "film.mp4", &json!({ "stages": ["scale"] }))
        .await;
    let id = &job["id"];
    stack
        .until(id, |job| job["stages"]["scale"]["phase"] == "encode")
        .await;
    let worker = stack.service("scale-1");
    // Between two of its passes the worker has no ffmpeg for a moment.
    let mut ffmpeg = Vec::new();
    until(Duration::from_secs(30), async || {
        ffmpeg = children(&worker["pid"]);
        !ffmpeg.is_empty()
    })
    .await;
    kill(&worker["pid"]);
    // Its ffmpeg ends too.
    until(Duration::from_secs(3), async || {
        ffmpeg
            .iter()
            .all(|pid| !std::path::Path::new(&format!("/proc/{pid}/exe")).exists())
    })
    .await;
    let job = stack.ended(id).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert_eq!(job["stages"]["scale"]["attempt"], 2);
    let outputs = job["stages"]["scale"]["outputs"].as_array().unwrap();
    let mut names: Vec<_> = outputs
        .iter()
        .map(|output| output["name"].as_str().unwrap())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "each output once");
    for name in names {
        stack.output(&job, "scale", name).await;
    }
    assert_eq!(stack.stop(), Some(0));
}

#[tokio::test]
async fn cancelling_stops_ffmpeg_and_whisper_within_three_seconds() {
    // Its own system: the shared workers would continue with tasks of other tests.
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(&folder.path().join("data"));
    let film = film(folder.path());
    for (stage, service, phase, options) in [
        (
            "scale",
            "scale-1",
            "encode",
            json!({ "stages": ["scale"], "scale": { "codec": "h265" } }),
        ),
        (
            "subtitle",
            "subtitle-1",
            "transcribe",
            json!({ "stages": ["subtitle"], "subtitle": { "language": "en" } }),
        ),
    ] {
        let job = stack.submit(&film, "film.mp4", &options).await;
        stack
            .until(&job["id"], |job| job["stages"][stage]["phase"] == phase)
            .await;
        let url = format!("{}/{}/cancel", stack.jobs_url(), job["id"].as_str().unwrap());
        let asked = Instant::now();
        let answer = http().post(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let worker = stack.service(service);
        until(Duration::from_secs(30), async || {
            stack.running(service).await == 0.0 && children(&worker["pid"]).is_empty()
        })
        .await;
        assert!(
            asked.elapsed() < Duration::from_secs(3),
            "{stage}: {:?}",
            asked.elapsed()
        );
        assert_eq!(stack.job(&job["id"]).await["status"], "cancelled");
    }
}
