//! What must hold once the faults are over, looked at from outside: HTTP, the bucket, the record, the broker.

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
    /// Jobs that succeeded, as they had to.
    pub succeeded: usize,
    /// Jobs that failed with the code they had to.
    pub failed: usize,
    /// Accepted jobs that did not end within the bound.
    pub lost: Vec<String>,
    /// Every other violation, in words.
    pub wrong: Vec<String>,
    /// Jobs of which some stage was begun more than once.
    pub repeated: usize,
    /// Upper bounds of the time that tasks had no worker after an attempt had died; sorted.
    pub takeovers: Vec<Duration>,
    /// Total time of failed attempts, and of all attempts.
    pub work: (Duration, Duration),
    /// Requests without an answer, whose outcome is unknown.
    pub unanswered: u32,
    /// From the end of the fault until a job that was submitted then had succeeded.
    pub recovery: Duration,
}

impl Findings {
    /// Nothing lost, nothing wrong.
    pub fn passed(&self) -> bool {
        self.lost.is_empty() && self.wrong.is_empty()
    }
}

/// Waits until every accepted job has ended and the queues are empty; then looks at everything.
pub async fn check(rig: &Rig, load: &Load, limit: Duration) -> Result<Findings> {
    let started = Instant::now();
    while load.open(rig) > 0 && started.elapsed() < limit {
        rig.stack.revive()?;
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
        findings.repeated += usize::from(history.attempts() > 1);
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
    if let Err(error) = empty(rig).await {
        findings.wrong.push(format!("{error:#}"));
    }
    Ok(findings)
}

enum Verdict {
    Lost(String),
    Succeeded,
    Failed,
}

/// One job: its end, its verdict, its bytes.
async fn verdict(rig: &Rig, accepted: &Accepted) -> Result<Verdict> {
    let (sample, stack) = (&rig.samples[accepted.sample], &rig.stack);
    let url = format!("{}/api/v1/jobs/{}", stack.url, accepted.id);
    let answer = stack.http.get(&url).send().await?;
    ensure!(
        answer.status() == 200,
        "{}: the record has lost it",
        answer.status()
    );
    let job: Value = answer.json().await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let status = text(&job["status"]);
    if ["uploading", "queued", "running"].contains(&status.as_str()) {
        return Ok(Verdict::Lost(format!(
            "{} is {status} still: {}",
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
        "{} must be {expected} with {stages:?}, is {status} with {found:?}",
        sample.name
    );
    let id: Uuid = accepted.id.parse()?;
    let source = stack
        .store
        .read(&keys::source(id))
        .await?
        .context("the source is gone")?;
    ensure!(source == sample.bytes, "the source is not what was uploaded");
    let states = job["stages"].as_object().context("stages")?.values();
    for output in states.flat_map(|stage| stage["outputs"].as_array().into_iter().flatten()) {
        output_is_whole(rig, output, sample.seconds).await?;
    }
    Ok(match status.as_str() {
        "succeeded" => Verdict::Succeeded,
        _ => Verdict::Failed,
    })
}

async fn output_is_whole(rig: &Rig, output: &Value, seconds: f64) -> Result<()> {
    let (name, stack) = (output["name"].as_str().unwrap_or_default(), &rig.stack);
    let url = format!("{}{}", stack.url, output["url"].as_str().unwrap_or_default());
    let answer = stack.http.get(url).send().await?;
    ensure!(answer.status() == 200, "{name}: {}", answer.status());
    let bytes = answer.bytes().await?;
    let hash = hex(&Sha256::digest(&bytes));
    ensure!(output["sha256"] == hash.as_str(), "{name} is not what was listed");
    let is_picture = |bytes: &[u8]| bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]);
    ensure!(
        !name.ends_with(".jpg") || is_picture(&bytes),
        "{name} is no whole picture"
    );
    if name.ends_with(".mp4") && seconds > 0.0 {
        let file = tempfile::Builder::new().suffix(".mp4").tempfile_in(&stack.dir)?;
        std::fs::write(file.path(), &bytes)?;
        let found = media::duration(file.path())?;
        ensure!(
            (found - seconds).abs() < 0.5,
            "{name} lasts {found} s of {seconds} s"
        );
    }
    Ok(())
}

/// Waits until the stream has no task: waiting, running or stranded.
async fn empty(rig: &Rig) -> Result<()> {
    let started = Instant::now();
    loop {
        let figures = rig.stack.queue.metrics().await?;
        let waiting: u64 = figures.depth.values().sum();
        if waiting == 0 && figures.stranded() == 0 {
            return Ok(());
        }
        ensure!(
            started.elapsed() < Duration::from_secs(20),
            "{waiting} tasks are in the queue, {} stranded",
            figures.stranded()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Uploads a file and waits until it has succeeded: the time that the system takes to recover.
pub async fn recovery(rig: &Rig, load: &Load, limit: Duration) -> Result<Duration> {
    let started = Instant::now();
    let mut canary = None;
    while started.elapsed() < limit {
        rig.stack.revive()?;
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
    anyhow::bail!("no job succeeded within {} s of the fault's end", limit.as_secs())
}

/// After the sweeper: objects of losing attempts and of failed uploads, open uploads, temporary files and
/// orphans. The whole bucket is checked, also objects without a 202.
pub async fn garbage(rig: &Rig) -> Result<Vec<String>> {
    let (stack, mut found) = (&rig.stack, Vec::new());
    let [uploads, outputs] = ["uploads/", "outputs/"];
    let objects = [stack.store.list(uploads).await?, stack.store.list(outputs).await?].concat();
    let mut unneeded = Vec::new();
    {
        let jobs = rig.watch.jobs();
        for key in objects {
            let history = key.split('/').nth(1).and_then(|id| jobs.get(id));
            if let Some(why) = history.map_or(Some("no job"), |history| history.unneeded(&key)) {
                unneeded.push((key, why));
            }
        }
    }
    for (key, why) in unneeded {
        if !is_committed(rig, &key).await? {
            found.push(format!("{key} of {why}"));
        }
    }
    for prefix in [uploads, outputs] {
        for (key, _) in stack.store.open_multiparts(prefix).await? {
            found.push(format!("{key}: an upload is open still"));
        }
    }
    for folder in std::fs::read_dir(stack.dir.join("scratch"))
        .into_iter()
        .flatten()
        .flatten()
    {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            found.push(format!("{} is left", file.path().display()));
        }
    }
    Ok([found, orphans(stack.dir.to_string_lossy().as_ref())].concat())
}

/// A worker that did not hear of the cancellation in time has committed it: it is listed nowhere, and kept, because a retry of
/// the stage takes it, until the job's own time is over.
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

/// Media programs that work on our files while no job runs.
fn orphans(dir: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let commands = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    commands
        .map(|command| command.replace('\0', " "))
        .filter(|command| {
            command.contains(dir) && (command.starts_with("ffmpeg") || command.contains("/ffmpeg"))
        })
        .map(|command| format!("an orphan runs: {command}"))
        .collect()
}
