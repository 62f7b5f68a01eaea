//! Every kind of fault for some seconds. `make faults` runs them for longer, `make soak` mixes them.

use std::time::Duration;
use vidp_faults::run::{Plan, matrix};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        seed: 20_261_123,
        time: Duration::from_secs(4),
        only: Vec::new(),
    };
    if let Err(error) = matrix(&plan, folder.path()).await {
        panic!("{error:#} (kept: {})", folder.keep().display());
    }
}
