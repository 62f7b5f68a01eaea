//! Named steps at which a test can abort the process, as a power cut would. Release builds ignore them.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// The step that aborts the process, and the number of passages left until then.
static CHOSEN: OnceLock<(String, AtomicU32)> = OnceLock::new();

/// All steps of the commit sequences in the workers and the API, in the order in which a job reaches them.
pub const STEPS: [&str; 35] = [
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
    "part.taken",
    "part.stored",
    "part.committed",
    "delivery.output-stored",
    "delivery.worked",
    "commit.claimed",
    "commit.published",
    "commit.acknowledged",
    "handover.noted",
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

/// Sets the step that aborts the process: `step` or `step:passage`, where the first passage is 1.
///
/// Only the first call in a process has an effect.
///
/// # Panics
/// Panics for an unknown step: a test would wait for a crash that never happens.
pub fn at(chosen: &str) {
    let (step, passage) = chosen.split_once(':').unwrap_or((chosen, "1"));
    let passage = passage
        .parse()
        .unwrap_or_else(|_| panic!("{chosen}: not step:passage"));
    assert!(STEPS.contains(&step), "no step {step}");
    let _ = CHOSEN.set((step.to_owned(), AtomicU32::new(passage)));
}

/// Marks that the process reached this step; aborts it if [`at`] chose this passage.
pub fn step(name: &'static str) {
    if !cfg!(debug_assertions) {
        return;
    }
    debug_assert!(STEPS.contains(&name), "{name} is not in the list");
    if let Some((chosen, left)) = CHOSEN.get()
        && chosen == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        tracing::error!(step = name, "aborting: VIDP_CRASH_AT names this step");
        std::process::abort();
    }
}
