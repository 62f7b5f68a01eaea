//! Every kind of fault for some seconds, with a line for each as it comes. `make faults` runs them for longer, `make
//! soak` mixes them.

use std::time::Duration;
use vidp_faults::run::{Plan, matrix};

// Without the test harness, which would keep the lines to itself.
#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = Plan {
        seed: 20_261_123,
        time: Duration::from_secs(4),
        only: Vec::new(),
    };
    if let Err(error) = matrix(&plan, folder.path()).await {
        eprintln!("{error:#} (kept: {})", folder.keep().display());
        std::process::exit(1);
    }
}
