//! Fault harness: injects every known kind of fault into a running VidP, and checks from outside that no job is lost.
//!
//! * `stack`, `process`, `proxy`: VidP and its engines as processes of this machine, with a proxy on every connection.
//! * `disk`, `memory`: small file systems and memory limits, which need root.
//! * `media`, `load`: clients that upload files with a known verdict.
//! * `faults`: the kinds of fault.
//! * `watch`, `check`: the history of each job, and the invariants after a fault.
//! * `run`: runs one fault after the other, or mixes them under one load.

pub mod check;
pub mod disk;
pub mod faults;
pub mod load;
pub mod media;
pub mod memory;
pub mod process;
pub mod proxy;
pub mod run;
pub mod stack;
pub mod watch;
