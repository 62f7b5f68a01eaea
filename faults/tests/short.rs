//! Runs every kind of fault for four seconds, with a report line for each. `make faults` runs them for longer, and `make
//! soak` mixes them.

use std::time::Duration;
use vidp_faults::{
    disk, faults,
    run::{Plan, matrix},
};

// Runs without libtest, which would capture the report lines.
fn main() {
    let plan = Plan {
        seed: 20_261_123,
        time: Duration::from_secs(4),
        // A single object store may lose confirmed data when its disk was full: see docs/reliability/runs.md.
        only: faults::ALL
            .iter()
            .map(|fault| fault.name.to_owned())
            .filter(|name| name != "bucket-full")
            .collect(),
        rate: None,
        mounts: disk::private_mounts(),
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Err(error) = runtime.block_on(matrix(plan, folder.path())) {
        eprintln!("{error:#} (kept: {})", folder.keep().display());
        std::process::exit(1);
    }
}
