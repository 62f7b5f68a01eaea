//! Every kind of fault for some seconds, with a line for each as it comes. `make faults` runs them for longer, `make
//! soak` mixes them.

use std::time::Duration;
use vidp_faults::{
    disk, faults,
    run::{Plan, matrix},
};

// Without the test harness, which would keep the lines to itself.
fn main() {
    let plan = Plan {
        seed: 20_261_123,
        time: Duration::from_secs(4),
        // The object store of the tests may lose what it has confirmed when its disk was full: see docs/reliability.md.
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
