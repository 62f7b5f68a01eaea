//! Runs faults on one system: one after the other with a report line for each, or mixed in a soak.

use crate::{
    check::{self, Findings},
    faults::{self, Fault, Scene, Skipped},
    load::{Load, Rig},
    media,
    stack::{CLEANUP_DELAY_SECONDS, Stack},
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

/// Number of open jobs above which clients wait.
const BACKLOG: usize = 12;
/// As [`BACKLOG`], in a soak: high enough that an outage of some seconds does not empty the queue.
const SOAK_BACKLOG: usize = 60;
/// Maximum time from the end of a fault to the end of a job; later the job counts as lost.
const END_LIMIT: Duration = Duration::from_secs(90);

/// The settings of a run.
#[derive(Debug)]
pub struct Plan {
    /// Seed of the random choices. The same seed makes the same choices; their timing depends on the machine.
    pub seed: u64,
    /// Duration of each fault; in a soak the duration of the run.
    pub time: Duration,
    /// Names of the faults to run; all when empty.
    pub only: Vec<String>,
    /// Maximum uploads per second; `None` is unlimited.
    pub rate: Option<f64>,
    /// The result of [`crate::disk::private_mounts`]: an error is the reason why the run has no small disks.
    pub mounts: Result<()>,
}

/// Runs the plan in `dir`. Fails at the end when a job was lost or an invariant was violated.
pub async fn matrix(plan: Plan, dir: &Path) -> Result<()> {
    let Plan {
        seed,
        time,
        rate,
        only,
        mounts,
    } = plan;
    for name in &only {
        // An unknown name would run no fault, and the run would pass.
        let is_known = faults::ALL.iter().any(|fault| fault.name == name);
        ensure!(is_known, "unknown fault {name}; --list names all faults");
    }
    let rig = rig(dir, mounts).await?;
    let chosen = |fault: &&Fault| only.is_empty() || only.iter().any(|name| name == fault.name);
    let mut bad = Vec::new();
    for fault in faults::ALL.iter().filter(chosen) {
        let load = Arc::new(Load::with_rate(rate));
        match run_fault(&rig, fault, &load, seed, time, BACKLOG).await {
            Ok((findings, _)) => {
                println!("{}", report_line(fault.name, seed, &findings));
                if !findings.passed() {
                    print_problems(findings.lost.iter().chain(&findings.wrong));
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
    // The sweeper deletes the objects of losing attempts.
    let left = wait_for_cleanup(&rig).await?;
    let verdict = if left.is_empty() { "pass" } else { "FAIL" };
    println!("garbage seed={seed} left={} {verdict}", left.len());
    if !left.is_empty() {
        print_problems(left.iter());
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

/// Runs the fault `mixed` under one continuous load, and checks the same invariants.
pub async fn soak(plan: Plan, dir: &Path) -> Result<()> {
    let rig = rig(dir, plan.mounts).await?;
    let load = Arc::new(Load::with_rate(plan.rate));
    let mixed = faults::ALL.last().expect("the list of faults is not empty");
    let (findings, count) = run_fault(&rig, mixed, &load, plan.seed, plan.time, SOAK_BACKLOG).await?;
    let left = wait_for_cleanup(&rig).await?;
    println!(
        "{} faults={count} minutes={} garbage={}",
        report_line("soak", plan.seed, &findings),
        plan.time.as_secs() / 60,
        left.len()
    );
    print_problems(findings.lost.iter().chain(&findings.wrong).chain(&left));
    if !findings.passed() || !left.is_empty() {
        bail!("the soak failed; logs in {}", dir.join("logs").display());
    }
    // The rule of three: after n trials without an event its rate is below 3/n, at 95 % confidence.
    let bound = |n: f64| n / 3.0;
    println!(
        "0 of {} jobs lost or wrong, 0 of {count} faults: less than 1 in {:.0} jobs and 1 in {:.0} faults at 95 % confidence",
        findings.accepted,
        bound(findings.accepted as f64),
        bound(f64::from(count))
    );
    Ok(())
}

fn print_problems<'a>(what: impl Iterator<Item = &'a String>) {
    for one in what.take(20) {
        println!("    {one}");
    }
}

/// Waits until the sweeper has deleted all garbage; returns the rest after the time limit.
async fn wait_for_cleanup(rig: &Rig) -> Result<Vec<String>> {
    let started = Instant::now();
    loop {
        let left = check::garbage(rig).await?;
        if left.is_empty() || started.elapsed() > Duration::from_secs(CLEANUP_DELAY_SECONDS + 60) {
            return Ok(left);
        }
        rig.stack.restart_crashed()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Runs a fault, and restarts processes that end unexpectedly.
async fn inject(rig: &Rig, fault: &Fault, scene: &mut Scene<'_>) -> Result<()> {
    let run = (fault.run)(scene);
    tokio::pin!(run);
    loop {
        tokio::select! {
            done = &mut run => return done,
            () = tokio::time::sleep(Duration::from_millis(200)) => rig.stack.restart_crashed()?,
        }
    }
}

/// Makes the samples, starts the system in `dir` and follows its jobs.
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

/// Runs one fault under load, heals the system and checks the invariants.
///
/// Returns the findings, and the number of faults that ran inside this one.
async fn run_fault(
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
        kinds: faults::ALL,
        random: fastrand::Rng::with_seed(seed),
        time,
        count: 0,
    };
    let injected = inject(rig, fault, &mut scene).await;
    let count = scene.count;
    rig.stack.open_all_wires();
    // The system has to process the long queue first.
    let bound = END_LIMIT * if backlog > BACKLOG { 4 } else { 1 };
    let recovery = check::measure_recovery(rig, load, bound).await;
    load.stop(clients).await;
    let mut findings = check::check(rig, load, bound).await?;
    match recovery {
        Ok(time) => findings.recovery = time,
        Err(error) => findings.wrong.push(format!("{error:#}")),
    }
    match injected {
        Err(error) if error.is::<Skipped>() && findings.passed() => return Err(error),
        Err(error) => findings.wrong.push(format!("{error:#}")),
        Ok(()) => {}
    }
    Ok((findings, count))
}

/// The report line of a fault; docs/reliability.md explains the fields.
fn report_line(name: &str, seed: u64, findings: &Findings) -> String {
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

/// The versions of the engines, ffmpeg and the kernel.
pub fn versions() -> Result<String> {
    let first_line = |program: &Path, argument: &str| -> Result<String> {
        let output = Command::new(program).arg(argument).output()?.stdout;
        let text = String::from_utf8_lossy(&output);
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    };
    let parts = [
        ("NATS", find_engine("nats-server")?, "--version"),
        ("MongoDB", find_engine("mongod")?, "--version"),
        ("SeaweedFS", find_engine("weed")?, "version"),
        ("ffmpeg", PathBuf::from("ffmpeg"), "-version"),
        ("kernel", PathBuf::from("uname"), "-r"),
    ];
    // Each program prints its version among other words.
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
