//! The type of a kind of fault, and the context in which a fault runs.

use crate::load::{Load, Rig};
use anyhow::Result;
use std::{fmt, pin::Pin, time::Duration};

/// A kind of fault.
pub struct Fault {
    /// The name, for `--only` and reports.
    pub name: &'static str,
    /// The effect of the fault, for `--list`.
    pub about: &'static str,
    /// The fault is short and heals itself, so a soak may choose it.
    pub mixes: bool,
    /// Injects the fault and heals it.
    pub run: for<'a> fn(&'a mut Scene<'_>) -> Done<'a>,
}

/// The context of a running fault.
pub struct Scene<'a> {
    /// The system under test.
    pub rig: &'a Rig,
    /// The clients, which upload during the fault.
    pub load: &'a Load,
    /// All kinds of fault; `mixed` chooses from them.
    pub kinds: &'static [Fault],
    /// The source of all random choices.
    pub random: fastrand::Rng,
    /// Duration of the fault.
    pub time: Duration,
    /// Number of faults that ran inside this one; only `mixed` counts.
    pub count: u32,
}

/// The future that a fault's function returns.
pub(super) type Done<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// The reason why the fault cannot run here: this machine or this user lacks a capability.
#[derive(Debug)]
pub struct Skipped(pub String);

impl std::error::Error for Skipped {}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}
