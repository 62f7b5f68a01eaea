//! Numbered steps at which a test may end the process, as a power cut would. In release builds they are nothing.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// The step to die at, and at which passage.
static CHOSEN: OnceLock<(String, AtomicU32)> = OnceLock::new();

/// Every step of the workers' and the API's commit sequences, in the order in which a job meets them.
pub const STEPS: [&str; 31] = [
    "upload.inserted",
    "upload.opened",
    "upload.part",
    "upload.before-complete",
    "upload.completed",
    "upload.recorded",
    "resumable.opened",
    "resumable.advanced",
    "resumable.tail-stored",
    "resumable.completed",
    "resumable.inserted",
    "task.published",
    "task.sent",
    "delivery.decoded",
    "delivery.fetched",
    "delivery.output-stored",
    "delivery.worked",
    "commit.claimed",
    "commit.published",
    "commit.acknowledged",
    "result.received",
    "result.applied",
    "result.acknowledged",
    "announce.begun",
    "announce.stored",
    "sweep.claimed",
    "sweep.found",
    "cancel.recorded",
    "delete.recorded",
    "delete.objects",
    "tidy.claimed",
];

/// Chooses `step` or `step:passage`; the first passage is 1. Once a process.
///
/// # Panics
/// When there is no such step: a test would wait for a crash that never comes.
pub fn at(chosen: &str) {
    let (step, passage) = chosen.split_once(':').unwrap_or((chosen, "1"));
    let passage = passage
        .parse()
        .unwrap_or_else(|_| panic!("{chosen}: not step:passage"));
    assert!(STEPS.contains(&step), "no step {step}");
    let _ = CHOSEN.set((step.to_owned(), AtomicU32::new(passage)));
}

/// The process has come to this step.
pub fn step(name: &'static str) {
    if !cfg!(debug_assertions) {
        return;
    }
    debug_assert!(STEPS.contains(&name), "{name} is not in the list");
    if let Some((chosen, left)) = CHOSEN.get()
        && chosen == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        tracing::error!(step = name, "ends here, as it was told to");
        std::process::abort();
    }
}
