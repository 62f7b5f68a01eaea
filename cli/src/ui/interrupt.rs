//! Ctrl-C: once lets go of a job, twice cancels it.

use anyhow::Result;
use std::time::Duration;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

/// How long the second Ctrl-C is waited for.
pub const AGAIN: Duration = Duration::from_secs(3);

/// Each Ctrl-C from here on, instead of the end of the program.
pub struct Interrupts(Signal);

impl Interrupts {
    /// Takes over SIGINT.
    pub fn new() -> Result<Interrupts> {
        Ok(Interrupts(signal(SignalKind::interrupt())?))
    }

    /// Until the next one.
    pub async fn next(&mut self) {
        self.0.recv().await;
    }

    /// Whether another one comes soon.
    pub async fn again(&mut self) -> bool {
        timeout(AGAIN, self.next()).await.is_ok()
    }
}
