//! One fault after the other on one system, with a line for each.

use crate::{
    check::{self, Findings},
    faults::{self, Fault, Scene, Skipped},
    load::{Load, Rig},
    media,
    stack::{Stack, TIDY},
    watch::Watch,
};
use anyhow::{Result, bail, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use vidp_engines::find_engine;

/// The open jobs at which clients wait.
const BACKLOG: usize = 12;
/// In a soak more may wait: an outage of some seconds must not empty the queue.
const SOAK_BACKLOG: usize = 60;
/// A job ends within this time of the last fault, or it is lost.
const BOUND: Duration = Duration::from_secs(90);

/// The settings of a run.
#[derive(Debug)]
pub struct Plan {
    /// Repeats a run, as far as the machine does.
    pub seed: u64,
    /// How long each fault lasts.
    pub time: Duration,
    /// Names of faults; all when empty.
    pub only: Vec<String>,
    /// Maximum uploads per second; `None` is unlimited.
    pub rate: Option<f64>,
    /// Whether there may be disks of our own, and why not.
    pub mounts: Result<()>,
}

/// Runs the plan in `dir`; an error at the end when anything was lost or wrong.
pub async fn matrix(plan: Plan, dir: &Path) -> Result<()> {
    let Plan {
        seed,
        time,
        rate,
        only,
        mounts,
    } = plan;
    for name in &only {
        // Nothing would be run, and nothing would fail.
        let is_known = faults::ALL.iter().any(|fault| fault.name == name);
        ensure!(is_known, "there is no fault {name}; --list names them");
    }
    let rig = rig(dir, mounts).await?;
    let chosen = |fault: &&Fault| only.is_empty() || only.iter().any(|name| name == fault.name);
    let mut bad = Vec::new();
    for fault in faults::ALL.iter().filter(chosen) {
        let load = Arc::new(Load::at_most(rate));
        match one(&rig, fault, &load, seed, time, BACKLOG).await {
            Ok((findings, _)) => {
                println!("{}", line(fault.name, seed, &findings));
                if !findings.passed() {
                    complain(findings.lost.iter().chain(&findings.wrong));
                    bad.push(fault.name);
                }
            }
            Err(error) if error.is::<Skipped>() => println!("fault={} seed={seed} {error}", fault.name),
            Err(error) => {
                println!("fault={} seed={seed} FAIL: {error:#}", fault.name);
                bad.push(fault.name);
            }
        }
    }
    // The sweeper takes what losing attempts left.
    let left = collect(&rig).await?;
    let verdict = if left.is_empty() { "pass" } else { "FAIL" };
    println!("garbage seed={seed} left={} {verdict}", left.len());
    if !left.is_empty() {
        complain(left.iter());
        bad.push("garbage");
    }
    if !bad.is_empty() {
        bail!(
            "failed: {}; logs in {}",
            bad.join(", "),
            dir.join("logs").display()
        );
    }
    Ok(())
}

/// The fault that mixes all others, under one load that never stops; then the same questions about it.
pub async fn soak(plan: Plan, dir: &Path) -> Result<()> {
    let rig = rig(dir, plan.mounts).await?;
    let load = Arc::new(Load::at_most(plan.rate));
    let mixed = faults::ALL.last().expect("the last one mixes the others");
    let (findings, count) = one(&rig, mixed, &load, plan.seed, plan.time, SOAK_BACKLOG).await?;
    let left = collect(&rig).await?;
    println!(
        "{} faults={count} minutes={} garbage={}",
        line("soak", plan.seed, &findings),
        plan.time.as_secs() / 60,
        left.len()
    );
    complain(findings.lost.iter().chain(&findings.wrong).chain(&left));
    if !findings.passed() || !left.is_empty() {
        bail!("the soak failed; logs in {}", dir.join("logs").display());
    }
    // The rule of three: none in n says, with 95 % confidence, less than 3 in n.
    let bound = |n: f64| n / 3.0;
    println!(
        "0 of {} jobs lost or wrong, 0 of {count} faults: less than 1 in {:.0} jobs and 1 in {:.0} faults at 95 % confidence",
        findings.accepted,
        bound(findings.accepted as f64),
        bound(f64::from(count))
    );
    Ok(())
}

fn complain<'a>(what: impl Iterator<Item = &'a String>) {
    for one in what.take(20) {
        println!("    {one}");
    }
}

/// What the sweeper has left, after it had the time.
async fn collect(rig: &Rig) -> Result<Vec<String>> {
    let started = Instant::now();
    loop {
        let left = check::garbage(rig).await?;
        if left.is_empty() || started.elapsed() > Duration::from_secs(TIDY + 60) {
            return Ok(left);
        }
        rig.stack.revive()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Runs a fault, and restarts the processes that it ends.
async fn hurt(rig: &Rig, fault: &Fault, scene: &mut Scene<'_>) -> Result<()> {
    let run = (fault.run)(scene);
    tokio::pin!(run);
    loop {
        tokio::select! {
            done = &mut run => return done,
            () = tokio::time::sleep(Duration::from_millis(200)) => rig.stack.revive()?,
        }
    }
}

async fn rig(dir: &Path, mounts: Result<()>) -> Result<Arc<Rig>> {
    let samples = media::make(&dir.join("media"))?;
    let stack = Stack::start(dir, mounts).await?;
    let watch = Watch::start(&stack.mongodb).await?;
    Ok(Arc::new(Rig {
        stack,
        watch,
        samples,
    }))
}

/// Load, the fault, healing, and what came of it; with how many faults there were.
async fn one(
    rig: &Arc<Rig>,
    fault: &Fault,
    load: &Arc<Load>,
    seed: u64,
    time: Duration,
    backlog: usize,
) -> Result<(Findings, u32)> {
    let clients = load.start(rig, backlog, seed);
    let mut scene = Scene {
        rig,
        load,
        random: fastrand::Rng::with_seed(seed),
        time,
        count: 0,
    };
    let hurt = hurt(rig, fault, &mut scene).await;
    let count = scene.count;
    rig.stack.mend();
    // A long queue has to be worked off first.
    let bound = BOUND * if backlog > BACKLOG { 4 } else { 1 };
    let recovery = check::recovery(rig, load, bound).await;
    load.stop(clients).await;
    let mut findings = check::check(rig, load, bound).await?;
    match recovery {
        Ok(time) => findings.recovery = time,
        Err(error) => findings.wrong.push(format!("{error:#}")),
    }
    match hurt {
        Err(error) if error.is::<Skipped>() && findings.passed() => return Err(error),
        Err(error) => findings.wrong.push(format!("{error:#}")),
        Ok(()) => {}
    }
    Ok((findings, count))
}

fn line(name: &str, seed: u64, findings: &Findings) -> String {
    let Findings {
        accepted,
        succeeded,
        failed,
        repeated,
        unanswered,
        takeovers,
        work: (lost, all),
        ..
    } = findings;
    let share = |part: f64, of: f64| if of > 0.0 { 100.0 * part / of } else { 0.0 };
    let takeover = |percent: usize| {
        let place = (takeovers.len() * percent / 100).min(takeovers.len().saturating_sub(1));
        takeovers.get(place).map_or(0.0, Duration::as_secs_f64)
    };
    format!(
        "fault={name} seed={seed} jobs={accepted} succeeded={succeeded} failed_as_expected={failed} lost={} wrong={} \
         repeated={repeated} ({:.1} %) takeover={:.1}s/{:.1}s wasted={:.1}% unanswered={unanswered} recovery={:.1}s {}",
        findings.lost.len(),
        findings.wrong.len(),
        share(*repeated as f64, *accepted as f64),
        takeover(50),
        takeover(99),
        share(lost.as_secs_f64(), all.as_secs_f64()),
        findings.recovery.as_secs_f64(),
        if findings.passed() { "pass" } else { "FAIL" }
    )
}

/// What takes part, and in which version.
pub fn versions() -> Result<String> {
    let first_line = |program: &Path, argument: &str| -> Result<String> {
        let said = Command::new(program).arg(argument).output()?.stdout;
        let said = String::from_utf8_lossy(&said);
        Ok(said.lines().next().unwrap_or_default().trim().to_owned())
    };
    let parts = [
        ("NATS", find_engine("nats-server")?, "--version"),
        ("MongoDB", find_engine("mongod")?, "--version"),
        ("SeaweedFS", find_engine("weed")?, "version"),
        ("ffmpeg", PathBuf::from("ffmpeg"), "-version"),
        ("kernel", PathBuf::from("uname"), "-r"),
    ];
    // Each says its number among other words.
    let number = |line: String| {
        let is_number = |word: &&str| word.contains('.') && word.contains(|c: char| c.is_ascii_digit());
        line.split(' ').find(is_number).unwrap_or("?").to_owned()
    };
    let all: Result<Vec<_>> = parts
        .iter()
        .map(|(name, program, argument)| Ok(format!("{name} {}", number(first_line(program, argument)?))))
        .collect();
    Ok(all?.join(", "))
}
