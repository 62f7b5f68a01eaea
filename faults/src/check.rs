//! Checks the invariants after a fault from outside: through HTTP, the bucket, the record and the broker.

use crate::{
    load::{Accepted, Load, Rig},
    media,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use uuid::Uuid;
use vidp_contract::{hex, keys};

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Uploads that got a 202.
    pub accepted: usize,
    /// Jobs that succeeded, as expected.
    pub succeeded: usize,
    /// Jobs that failed with the expected code.
    pub failed: usize,
    /// Accepted jobs that did not end within the bound.
    pub lost: Vec<String>,
    /// Descriptions of all other violations.
    pub wrong: Vec<String>,
    /// Jobs with a stage that was started more than once.
    pub repeated: usize,
    /// Upper bounds of the time without a worker after an attempt died, sorted; one for each takeover.
    pub takeovers: Vec<Duration>,
    /// Total time of failed attempts, and of all attempts.
    pub work: (Duration, Duration),
    /// Requests without an answer; their outcome is unknown.
    pub unanswered: u32,
    /// Time from the end of the fault until a job submitted at that moment has ended.
    pub recovery: Duration,
}

impl Findings {
    /// True when no job is lost and no invariant is violated.
    pub fn passed(&self) -> bool {
        self.lost.is_empty() && self.wrong.is_empty()
    }
}

/// Waits until every accepted job has ended, at most `limit`; then checks each job and that the queue is empty.
pub async fn check(rig: &Rig, load: &Load, limit: Duration) -> Result<Findings> {
    let started = Instant::now();
    while load.open_jobs(rig) > 0 && started.elapsed() < limit {
        rig.stack.restart_crashed()?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let accepted = load.accepted();
    let mut findings = Findings {
        accepted: accepted.len(),
        unanswered: load.unanswered.load(Ordering::Relaxed),
        ..Findings::default()
    };
    for job in &accepted {
        match verdict(rig, job).await {
            Ok(Verdict::Lost(state)) => findings.lost.push(format!("{}: {state}", job.id)),
            Ok(Verdict::Succeeded) => findings.succeeded += 1,
            Ok(Verdict::Failed) => findings.failed += 1,
            Err(error) => findings.wrong.push(format!("{}: {error:#}", job.id)),
        }
        let jobs = rig.watch.jobs();
        let Some(history) = jobs.get(&job.id) else {
            continue;
        };
        findings.repeated += usize::from(history.max_attempt() > 1);
        findings.takeovers.extend(history.takeovers());
        let (lost, all) = history.work();
        findings.work = (findings.work.0 + lost, findings.work.1 + all);
        if let Some(changed) = history.changed.first() {
            let end = &history.end;
            findings
                .wrong
                .push(format!("{}: ended as {end:?}, changed to {changed:?}", job.id));
        }
    }
    findings.takeovers.sort_unstable();
    let hung = load.hung.load(Ordering::Relaxed);
    if hung > 0 {
        findings.wrong.push(format!("{hung} uploads hung"));
    }
    if let Err(error) = wait_until_empty(rig).await {
        findings.wrong.push(format!("{error:#}"));
    }
    Ok(findings)
}

enum Verdict {
    Lost(String),
    Succeeded,
    Failed,
}

/// Checks one job: that it ended, with the expected verdict and with complete outputs.
async fn verdict(rig: &Rig, accepted: &Accepted) -> Result<Verdict> {
    let (sample, stack) = (&rig.samples[accepted.sample], &rig.stack);
    let url = format!("{}/api/v1/jobs/{}", stack.url, accepted.id);
    let answer = stack.http.get(&url).send().await?;
    ensure!(
        answer.status() == 200,
        "{}: the API does not return the job",
        answer.status()
    );
    let job: Value = answer.json().await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let status = text(&job["status"]);
    if ["uploading", "queued", "running"].contains(&status.as_str()) {
        return Ok(Verdict::Lost(format!(
            "{} is still {status}: {}",
            sample.name, job["stages"]
        )));
    }
    let (expected, stages) = &sample.verdict;
    let found: Vec<_> = stages
        .iter()
        .map(|(stage, _)| (*stage, text(&job["stages"][stage]["error"]["code"])))
        .collect();
    let as_expected = stages.iter().zip(&found).all(|(a, b)| a.1 == b.1);
    ensure!(
        status == *expected && as_expected,
        "{} must be {expected} with {stages:?}, but is {status} with {found:?}",
        sample.name
    );
    let id: Uuid = accepted.id.parse()?;
    let source = stack
        .store
        .read(&keys::source(id))
        .await?
        .context("the source is missing in the bucket")?;
    ensure!(
        source == sample.bytes,
        "the source in the bucket differs from the uploaded file"
    );
    let states = job["stages"].as_object().context("stages")?.values();
    for output in states.flat_map(|stage| stage["outputs"].as_array().into_iter().flatten()) {
        check_output(rig, output, sample.seconds).await?;
    }
    Ok(match status.as_str() {
        "succeeded" => Verdict::Succeeded,
        _ => Verdict::Failed,
    })
}

/// Checks the bytes of one output: SHA-256, complete picture, duration within 0.5 s of the source's `seconds`.
async fn check_output(rig: &Rig, output: &Value, seconds: f64) -> Result<()> {
    let (name, stack) = (output["name"].as_str().unwrap_or_default(), &rig.stack);
    let url = format!("{}{}", stack.url, output["url"].as_str().unwrap_or_default());
    let answer = stack.http.get(url).send().await?;
    ensure!(answer.status() == 200, "{name}: {}", answer.status());
    let bytes = answer.bytes().await?;
    let hash = hex(&Sha256::digest(&bytes));
    ensure!(
        output["sha256"] == hash.as_str(),
        "{name} does not have the listed SHA-256"
    );
    let is_picture = |bytes: &[u8]| bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]);
    ensure!(
        !name.ends_with(".jpg") || is_picture(&bytes),
        "{name} is not a complete picture"
    );
    if name.ends_with(".mp4") && seconds > 0.0 {
        let file = tempfile::Builder::new().suffix(".mp4").tempfile_in(&stack.dir)?;
        std::fs::write(file.path(), &bytes)?;
        let found = media::duration(file.path())?;
        ensure!(
            (found - seconds).abs() < 0.5,
            "{name} lasts {found} s instead of {seconds} s"
        );
    }
    Ok(())
}

/// Waits until the task stream has no waiting, running or stranded task; fails after 20 s.
async fn wait_until_empty(rig: &Rig) -> Result<()> {
    let started = Instant::now();
    loop {
        let metrics = rig.stack.queue.metrics().await?;
        let waiting = metrics.depth();
        if waiting == 0 && metrics.stranded() == 0 {
            return Ok(());
        }
        ensure!(
            started.elapsed() < Duration::from_secs(20),
            "{waiting} tasks are still in the queue, and {} are stranded",
            metrics.stranded()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Uploads a file and waits until its job has ended. Returns the time that the system took to recover.
pub async fn measure_recovery(rig: &Rig, load: &Load, limit: Duration) -> Result<Duration> {
    let started = Instant::now();
    let mut canary = None;
    while started.elapsed() < limit {
        rig.stack.restart_crashed()?;
        match &canary {
            None => canary = load.upload(rig, 0).await,
            Some(id) => {
                if rig.watch.has_ended(id) {
                    return Ok(started.elapsed());
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("no job ended within {} s of the fault's end", limit.as_secs())
}

/// Lists garbage: objects of losing attempts and of failed uploads, open uploads, temporary files and orphan processes.
///
/// It scans the complete bucket, including objects of uploads that were not answered with 202.
pub async fn garbage(rig: &Rig) -> Result<Vec<String>> {
    let (stack, mut found) = (&rig.stack, Vec::new());
    let [uploads, outputs] = ["uploads/", "outputs/"];
    let objects = [stack.store.list(uploads).await?, stack.store.list(outputs).await?].concat();
    let mut suspects = Vec::new();
    {
        let jobs = rig.watch.jobs();
        for key in objects {
            let history = key.split('/').nth(1).and_then(|id| jobs.get(id));
            if let Some(why) = history.map_or(Some("no job"), |history| history.garbage_reason(&key)) {
                suspects.push((key, why));
            }
        }
    }
    for (key, why) in suspects {
        if !is_committed(rig, &key).await? {
            found.push(format!("{key} of {why}"));
        }
    }
    for prefix in [uploads, outputs] {
        for (key, _) in stack.store.open_multiparts(prefix).await? {
            found.push(format!("{key}: a multipart upload is still open"));
        }
    }
    for folder in std::fs::read_dir(stack.dir.join("scratch"))
        .into_iter()
        .flatten()
        .flatten()
    {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            // A running worker holds the lock of its folder.
            if file.file_name() == "lock" {
                continue;
            }
            found.push(format!(
                "{} is a temporary file without a task",
                file.path().display()
            ));
        }
    }
    Ok([found, orphans(stack.dir.to_string_lossy().as_ref())].concat())
}

/// True when the manifest of the object's stage lists it. A committed object is retained until the job expires.
///
/// The job does not list it when the worker received a cancellation too late; a retry of the stage uses it.
async fn is_committed(rig: &Rig, key: &str) -> Result<bool> {
    let Some((prefix, _)) = key
        .rsplit_once('/')
        .and_then(|(attempt, _)| attempt.rsplit_once('/'))
    else {
        return Ok(false);
    };
    let manifest = rig
        .stack
        .store
        .read(&keys::manifest(&format!("{prefix}/")))
        .await?;
    Ok(manifest.is_some_and(|text| String::from_utf8_lossy(&text).contains(key)))
}

/// ffmpeg processes that work on files of the harness while no job runs.
fn orphans(dir: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let commands = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    commands
        .map(|command| command.replace('\0', " "))
        .filter(|command| {
            command.contains(dir) && (command.starts_with("ffmpeg") || command.contains("/ffmpeg"))
        })
        .map(|command| format!("an orphan process runs: {command}"))
        .collect()
}
