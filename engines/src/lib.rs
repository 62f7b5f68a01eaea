//! The real engines as child processes: NATS, MongoDB and an S3 server, on loopback.
//!
//! `vidp up` and the tests start their engines with this crate. Everything here blocks the calling
//! thread while it waits and needs no async runtime, so it can be called from a plain `fn main`, from a `#[test]` and
//! from within a `#[tokio::test]` (there it blocks that test's runtime thread for some seconds).
//!
//! # In a test
//!
//! ```no_run
//! // Once per test binary: three engines in a temporary folder, which is removed when the process ends.
//! let engines = vidp_engines::shared();
//! println!("{} {} {}", engines.nats.url(), engines.mongo.url(), engines.s3.endpoint());
//! ```
//!
//! Tests of one binary share these, so each uses its own database and bucket. The JetStream names are
//! fixed by the contract: a test that needs exclusive streams, or that stops an engine, starts its own. NATS starts in
//! a few hundredths of a second:
//!
//! ```no_run
//! # fn test() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = std::env::temp_dir();
//! let mut nats = vidp_engines::Nats::start(&dir, 0)?; // 0: any free port
//! nats.stop();
//! nats.restart()?; // the same data, at the same address
//! # Ok(()) }
//! ```
//!
//! Dropping a handle kills its process. The kernel kills it when this process dies in any other way.
//! Programs are searched on the PATH, then in `.engines/bin` (see [`find_engine`]).

mod daemon;
mod error;
mod find;
mod mongo;
mod nats;
mod net;
mod s3;
mod shared;

pub use daemon::Daemon;
pub use error::StartError;
pub use find::{find_engine, find_model};
pub use mongo::Mongo;
pub use nats::{Nats, Users};
pub use net::{free_port, http_get};
pub use s3::{Buckets, S3, S3Key, S3User};
pub use shared::{Shared, shared};
