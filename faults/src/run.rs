//! One fault after the other on one system, with a line for each.

use crate::{
    check::{self, Findings},
    faults::{self, Fault, Scene},
    load::{Load, Rig},
    media,
    stack::{Stack, TIDY},
    watch::Watch,
};
use anyhow::{Result, bail};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Clients that upload at the same time, and the open jobs at which they wait.
const CLIENTS: u64 = 3;
const BACKLOG: usize = 12;
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
    let started = Instant::now();
    let left = loop {
        let left = check::garbage(&rig, &accepted).await?;
        if left.is_empty() || started.elapsed() > Duration::from_secs(TIDY + 45) {
            break left;
        }
        rig.stack.revive()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
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
    let hurt = {
        let run = (fault.run)(&mut scene);
        tokio::pin!(run);
        loop {
            tokio::select! {
                done = &mut run => break done,
                () = tokio::time::sleep(Duration::from_millis(200)) => rig.stack.revive()?,
            }
        }
    };
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
