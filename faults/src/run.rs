//! One fault after the other on one system, with a line for each.

use crate::{
    check::{self, Findings},
    faults::{self, Fault, Scene},
    load::{Accepted, Load, Rig},
    media,
    stack::{Stack, TIDY},
    watch::Watch,
};
use anyhow::{Result, bail, ensure};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Clients that upload at the same time, and the open jobs at which they wait.
const CLIENTS: u64 = 3;
const BACKLOG: usize = 12;
/// In a soak more may wait: an outage of some seconds must not empty the queue.
const SOAK_BACKLOG: usize = 60;
/// A soak's faults come this often.
const EACH: Duration = Duration::from_secs(10);
/// A job ends within this time of the last fault, or it is lost.
const BOUND: Duration = Duration::from_secs(90);

/// What is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Repeats a run, as far as the machine does.
    pub seed: u64,
    /// How long each fault lasts.
    pub time: Duration,
    /// Names of faults; all when empty.
    pub only: Vec<String>,
}

/// Runs the plan in `dir`; an error at the end when anything was lost or wrong.
pub async fn matrix(plan: &Plan, dir: &Path) -> Result<()> {
    for name in &plan.only {
        // Nothing would be run, and nothing would fail.
        let is_known = faults::ALL.iter().any(|fault| fault.name == name);
        ensure!(is_known, "there is no fault {name}; --list names them");
    }
    let rig = rig(dir).await?;
    let chosen = |fault: &&Fault| plan.only.is_empty() || plan.only.iter().any(|name| name == fault.name);
    let (mut bad, mut accepted) = (Vec::new(), Vec::new());
    for fault in faults::ALL.iter().filter(chosen) {
        let load = Arc::new(Load::default());
        let findings = one(&rig, fault, &load, plan).await;
        accepted.extend(load.accepted());
        match findings {
            Ok(findings) => {
                println!("{}", line(fault.name, plan.seed, &findings));
                if !findings.passed() {
                    for what in findings.lost.iter().chain(&findings.wrong).take(8) {
                        println!("    {what}");
                    }
                    bad.push(fault.name);
                }
            }
            Err(error) => {
                println!("fault={} seed={} FAIL: {error:#}", fault.name, plan.seed);
                bad.push(fault.name);
            }
        }
    }
    // The sweeper takes what losing attempts left.
    let left = collect(&rig, &accepted).await?;
    println!(
        "garbage seed={} jobs={} left={} {}",
        plan.seed,
        accepted.len(),
        left.len(),
        if left.is_empty() { "pass" } else { "FAIL" }
    );
    for what in left.iter().take(8) {
        println!("    {what}");
        bad.push("garbage");
    }
    bad.dedup();
    if !bad.is_empty() {
        bail!(
            "failed: {}; logs in {}",
            bad.join(", "),
            dir.join("logs").display()
        );
    }
    Ok(())
}

/// Random faults, one each ten seconds, under one load that never stops; then the same questions about all of it.
pub async fn soak(seed: u64, time: Duration, dir: &Path) -> Result<()> {
    let rig = rig(dir).await?;
    let load = Arc::new(Load::default());
    let clients = load.start(&rig, CLIENTS, SOAK_BACKLOG, seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let kinds: Vec<_> = faults::ALL.iter().filter(|fault| fault.mixes).collect();
    let (started, mut count, mut bad) = (Instant::now(), 0, Vec::new());
    while started.elapsed() < time {
        let begun = Instant::now();
        let fault = kinds[random.usize(0..kinds.len())];
        let mut scene = Scene {
            rig: &rig,
            load: &load,
            random: random.fork(),
            time: Duration::from_secs(5),
        };
        if let Err(error) = hurt(&rig, fault, &mut scene).await {
            bad.push(format!("{}: {error:#}", fault.name));
        }
        rig.stack.mend();
        count += 1;
        while begun.elapsed() < EACH {
            rig.stack.revive()?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if count % 30 == 0 {
            println!(
                "{count} faults, {} jobs accepted, {} open",
                load.accepted().len(),
                load.open(&rig)
            );
        }
    }
    let recovery = check::recovery(&rig, &load, BOUND * 2).await;
    load.stop(clients).await;
    let mut findings = check::check(&rig, &load, BOUND * 4).await?;
    findings.wrong.extend(bad);
    findings.recovery = recovery?;
    let left = collect(&rig, &load.accepted()).await?;
    println!(
        "{} faults={count} minutes={} garbage={}",
        line("soak", seed, &findings),
        time.as_secs() / 60,
        left.len()
    );
    for what in findings.lost.iter().chain(&findings.wrong).chain(&left).take(20) {
        println!("    {what}");
    }
    if !findings.passed() || !left.is_empty() {
        bail!("the soak failed; logs in {}", dir.join("logs").display());
    }
    // The rule of three: none in n says, with 95 % confidence, less than 3 in n.
    println!(
        "0 of {} jobs lost: less than 1 in {:.0} at 95 % confidence",
        findings.accepted,
        findings.accepted as f64 / 3.0
    );
    Ok(())
}

/// What the sweeper has left, after it had the time.
async fn collect(rig: &Rig, accepted: &[Accepted]) -> Result<Vec<String>> {
    let started = Instant::now();
    loop {
        let left = check::garbage(rig, accepted).await?;
        if left.is_empty() || started.elapsed() > Duration::from_secs(TIDY + 60) {
            return Ok(left);
        }
        rig.stack.revive()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Runs a fault, and starts again what it ends.
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

async fn rig(dir: &Path) -> Result<Arc<Rig>> {
    let samples = media::make(&dir.join("media"))?;
    let stack = Stack::start(dir).await?;
    let watch = Watch::start(&stack.mongodb).await?;
    Ok(Arc::new(Rig {
        stack,
        watch,
        samples,
    }))
}

/// Load, the fault, healing, and what came of it.
async fn one(rig: &Arc<Rig>, fault: &Fault, load: &Arc<Load>, plan: &Plan) -> Result<Findings> {
    let clients = load.start(rig, CLIENTS, BACKLOG, plan.seed);
    let mut scene = Scene {
        rig,
        load,
        random: fastrand::Rng::with_seed(plan.seed),
        time: plan.time,
    };
    let hurt = hurt(rig, fault, &mut scene).await;
    rig.stack.mend();
    let recovery = check::recovery(rig, load, BOUND).await;
    load.stop(clients).await;
    let mut findings = check::check(rig, load, BOUND).await?;
    match recovery {
        Ok(time) => findings.recovery = time,
        Err(error) => findings.wrong.push(format!("{error:#}")),
    }
    if let Err(error) = hurt {
        findings.wrong.push(format!("{error:#}"));
    }
    Ok(findings)
}

fn line(name: &str, seed: u64, findings: &Findings) -> String {
    let Findings {
        accepted,
        succeeded,
        failed,
        repeated,
        unanswered,
        ..
    } = findings;
    format!(
        "fault={name} seed={seed} jobs={accepted} succeeded={succeeded} failed_as_expected={failed} lost={} wrong={} \
         repeated={repeated} unanswered={unanswered} recovery={:.1}s {}",
        findings.lost.len(),
        findings.wrong.len(),
        findings.recovery.as_secs_f64(),
        if findings.passed() { "pass" } else { "FAIL" }
    )
}
