//! `vidp batch`: each video once, even if the program is killed.

use crate::{
    media::make,
    stack::{LIMIT, Stack, http, shared, until, up, vidp},
};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    fs,
    path::Path,
    process::{Command, Output},
};

const VIDEOS: usize = 200;

fn batch(stack: &Stack, from: &Path, more: &[&str]) -> Command {
    let mut command = vidp();
    command
        .args(["batch", "--server", &stack.url])
        .arg(from)
        .args(more);
    command
}

/// Makes files of one second at 64x48.
fn videos(folder: &Path, count: usize) {
    let clip = make(
        folder,
        "0.mp4",
        "-f lavfi -i testsrc=s=64x48:d=1:r=5 -pix_fmt yuv420p",
    );
    for i in 1..count {
        fs::copy(&clip, folder.join(format!("{i}.mp4"))).unwrap();
    }
}

fn steps(folder: &Path, event: &str) -> usize {
    let text = fs::read_to_string(folder.join(".vidp-batch.jsonl")).unwrap_or_default();
    text.matches(&format!("\"event\":\"{event}\"")).count()
}

fn rows(csv: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(csv).unwrap();
    let row = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(row).collect()
}

/// Reads all jobs of the batch in a folder from the API.
async fn jobs(stack: &Stack, folder: &Path) -> Vec<Value> {
    let state = fs::read_to_string(folder.join(".vidp-batch.jsonl")).unwrap();
    let first: Value = serde_json::from_str(state.lines().next().unwrap()).unwrap();
    let batch = first["id"].as_str().unwrap();
    let (mut jobs, mut cursor) = (Vec::new(), String::new());
    loop {
        let url = format!("{}?limit=100{cursor}", stack.jobs_url());
        let page: Value = http().get(url).send().await.unwrap().json().await.unwrap();
        let own = |job: &&Value| {
            job["external_id"]
                .as_str()
                .is_some_and(|id| id.starts_with(batch))
        };
        jobs.extend(page["data"].as_array().unwrap().iter().filter(own).cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return jobs,
        }
    }
}

fn succeeds(done: &Output) {
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

#[tokio::test]
async fn a_batch_that_is_killed_again_and_again_does_each_video_once() {
    // Its own system, so that other tests do not wait behind 200 jobs.
    let data = tempfile::tempdir().unwrap();
    let mut command = up(&data.path().join("data"), 0);
    command.args(["--detect-workers=2", "--scale-workers=0", "--subtitle-workers=0"]);
    let stack = &Stack::start_as(&data.path().join("data"), command);
    let folder = tempfile::tempdir().unwrap();
    videos(folder.path(), VIDEOS);
    let csv = folder.path().join("done.csv");
    // The files have no audio track: the stage is skipped at once.
    let more = [
        "--stages=detect",
        "--lane=interactive",
        "--concurrency=8",
        "--csv",
        csv.to_str().unwrap(),
    ];
    // Killed during the first uploads, and then at arbitrary steps.
    for (event, count) in [("accepted", 3), ("ended", 40), ("uploading", 90), ("ended", 150)] {
        let mut running = batch(stack, folder.path(), &more)
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        until(LIMIT, async || steps(folder.path(), event) >= count).await;
        running.kill().unwrap();
        assert!(!running.wait().unwrap().success());
    }
    assert!(steps(folder.path(), "ended") < VIDEOS, "it was not killed midway");
    let again = batch(stack, folder.path(), &more).output().unwrap();
    succeeds(&again);
    assert!(String::from_utf8_lossy(&again.stdout).contains("done before"));

    let rows = rows(&csv);
    assert_eq!(rows.len(), VIDEOS);
    assert!(rows.iter().all(|row| row[2] == "succeeded"), "{rows:?}");
    let jobs = jobs(stack, folder.path()).await;
    let distinct =
        |field: &str| -> HashSet<_> { jobs.iter().map(|job| job[field].as_str().unwrap()).collect() };
    assert_eq!((jobs.len(), distinct("external_id").len()), (VIDEOS, VIDEOS));
    let listed: HashSet<_> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(distinct("id"), listed);

    // Another run has nothing to do.
    let before = steps(folder.path(), "ended");
    succeeds(&batch(stack, folder.path(), &more).output().unwrap());
    assert_eq!(steps(folder.path(), "ended"), before);
}

#[tokio::test]
async fn a_file_that_fails_does_not_stop_its_batch() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    videos(folder.path(), 1);
    fs::write(folder.path().join("text.mp4"), "this is no video").unwrap();
    let csv = folder.path().join("done.csv");
    let out = folder.path().join("out");
    let more = [
        "--stages=scale",
        "--renditions=144p",
        "--csv",
        csv.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let run = |more: &[&str]| batch(stack, folder.path(), more).output().unwrap();
    assert_eq!(run(&more).status.code(), Some(3));
    let first = rows(&csv);
    assert_eq!(
        [
            &first[0][0],
            &first[0][2],
            &first[1][0],
            &first[1][2],
            &first[1][3]
        ],
        ["0.mp4", "succeeded", "text.mp4", "failed", "unsupported_media"]
    );
    assert!(out.join("0.mp4/scale/poster.jpg").is_file());
    // Another run processes neither; with --retry-failed the job is retried, and no second job is created.
    assert_eq!(run(&more).status.code(), Some(3));
    assert_eq!(
        run(&[&more[..], &["--retry-failed"]].concat()).status.code(),
        Some(3)
    );
    assert_eq!(rows(&csv)[1][1], first[1][1]);
    let job = stack.job(&json!(first[1][1])).await;
    assert_eq!(job["status"], "failed");
    assert_eq!(steps(folder.path(), "ended"), 3);
    assert_eq!(jobs(stack, folder.path()).await.len(), 2);
}

#[test]
fn wrong_lines_of_a_manifest_get_their_own_status() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    videos(folder.path(), 1);
    let list = folder.path().join("list.ndjson");
    let lines = [
        json!({ "path": "0.mp4", "options": { "external_id": "mine" } }),
        json!({ "path": "none.mp4" }),
        json!({ "path": "folder\u{1b}[2J" }),
        // The server does not allow this source.
        json!({ "bucket": "films", "key": "a.mp4" }),
    ];
    let write = |lines: &[Value]| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&list, text).unwrap();
    };
    fs::create_dir(folder.path().join("folder\u{1b}[2J")).unwrap();
    write(&lines[..3]);
    let done = batch(stack, &list, &["--stages=detect", "--json"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(3));
    let documents: Vec<Value> = String::from_utf8_lossy(&done.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |path: &str| {
        documents
            .iter()
            .find(|document| document["path"] == path)
            .unwrap()
    };
    assert_eq!(of("0.mp4")["status"], "succeeded");
    assert_eq!(of("none.mp4")["status"], "unreadable");
    assert_eq!(of("folder\u{1b}[2J")["detail"], "not a file");
    write(&lines[2..]);
    let refused = batch(stack, &list, &["--stages=detect"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(4));
    let output = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(
        output.contains("films/a.mp4: refused (source_not_allowed)"),
        "{output}"
    );
    // Control characters in names are escaped.
    let escaped = output.contains("folder\\u{1b}[2J: unreadable") && !output.contains('\u{1b}');
    assert!(escaped, "{output:?}");
    fs::write(&list, "{\"file\": \"0.mp4\"}").unwrap();
    let wrong = batch(stack, &list, &[]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("line 1"));
}
