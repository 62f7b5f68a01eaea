//! Ctrl-C while a command follows jobs: the first detaches, a second within three seconds cancels.

use anyhow::Result;
use std::time::Duration;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

/// Time after the first Ctrl-C within which a second one cancels.
pub const CANCEL_WINDOW: Duration = Duration::from_secs(3);

/// Receives every Ctrl-C, which then does not end the program.
pub struct Interrupts(Signal);

impl Interrupts {
    /// Installs the handler of SIGINT.
    pub fn new() -> Result<Interrupts> {
        Ok(Interrupts(signal(SignalKind::interrupt())?))
    }

    /// Waits for the next Ctrl-C.
    pub async fn next(&mut self) {
        self.0.recv().await;
    }

    /// True when another Ctrl-C arrives within [`CANCEL_WINDOW`].
    pub async fn repeated(&mut self) -> bool {
        timeout(CANCEL_WINDOW, self.next()).await.is_ok()
    }
}
