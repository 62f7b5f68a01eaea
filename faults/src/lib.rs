//! Injects every fault that is known to lose jobs into a running VidP, and checks from outside that none is lost.
//!
//! * `stack`, `process`, `proxy`: the system as processes of this machine, with a proxy on every wire.
//! * `disk`, `memory`: small disks and little memory, where the rights are there.
//! * `media`, `load`: clients that upload files whose verdict is known.
//! * `faults`: what is done to it.
//! * `watch`, `check`: what must hold afterwards.
//! * `run`: one fault after the other, or all mixed.

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
