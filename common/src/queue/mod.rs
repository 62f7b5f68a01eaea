//! The message broker, NATS JetStream: streams, consumers and publishing.

mod bury;
mod cancel;
mod connection;
mod dead;
mod error;
mod metrics;
mod parts;
mod problem;
mod publish;
mod settings;
mod setup;
mod stored;

pub use bury::Letter;
pub use cancel::Cancel;
pub use connection::Queue;
pub use dead::{DeadLetter, Original, RESULTS_QUEUE};
pub use error::QueueError;
pub use metrics::{Load, QueueMetrics, StreamMetrics};
pub use problem::{ProblemKind, QueueProblem};
pub use stored::StoredResult;
