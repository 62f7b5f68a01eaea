//! The program of `make faults` and `make soak`: injects every known kind of fault into a running VidP.

use anyhow::Result;
use clap::Parser;
use std::{path::PathBuf, time::Duration};
use vidp_faults::{
    disk, faults,
    run::{Plan, matrix, soak, versions},
};

/// Start VidP on this machine, inject faults, and check that no job is lost
#[derive(Parser)]
struct Cli {
    /// Seed of the random choices; the same seed makes the same choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Duration of each fault in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Minutes of random faults under one load, instead of one fault after the other
    #[arg(long)]
    soak: Option<u64>,
    /// Maximum uploads per second; unlimited by default
    #[arg(long)]
    rate: Option<f64>,
    /// Name of a fault to run instead of all; may be repeated
    #[arg(long)]
    only: Vec<String>,
    /// Folder for the system's data and logs; by default a temporary one, which is kept after a failure
    #[arg(long)]
    dir: Option<PathBuf>,
    /// List the faults and exit
    #[arg(long)]
    list: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if cli.list {
        for fault in faults::ALL {
            println!("{:15} {}", fault.name, fault.about);
        }
        return Ok(());
    }
    // The call needs a process with one thread, so it precedes the runtime.
    let mounts = disk::private_mounts();
    let temporary = tempfile::tempdir()?;
    let dir = cli.dir.unwrap_or_else(|| temporary.path().to_owned());
    println!("{}", versions()?);
    let plan = Plan {
        seed: cli.seed,
        time: Duration::from_secs(cli.soak.map_or(cli.seconds, |minutes| minutes * 60)),
        only: cli.only,
        rate: cli.rate,
        mounts,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match cli.soak {
            Some(_) => soak(plan, &dir).await,
            None => matrix(plan, &dir).await,
        }
    });
    if done.is_err() {
        // The logs show the reason of the failure.
        let _ = temporary.keep();
    }
    done
}
