use anyhow::Result;
use std::sync::Arc;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// A flag that is set when the system must stop, usually by SIGINT or SIGTERM.
#[derive(Clone)]
pub struct Stopping(Arc<watch::Sender<bool>>);

impl Stopping {
    /// Installs handlers for both signals; from now on they set the flag.
    pub fn on_signal() -> Result<Stopping> {
        let stopping = Stopping(Arc::new(watch::Sender::new(false)));
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let flag = stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            flag.set();
        });
        Ok(stopping)
    }

    /// Sets the flag.
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    /// True when the flag is set.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the flag is set.
    pub async fn wait(&self) {
        // An error means that the sender is gone, which `self` prevents.
        let _ = self.0.subscribe().wait_for(|set| *set).await;
    }
}
