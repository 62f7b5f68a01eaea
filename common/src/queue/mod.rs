//! The message broker, NATS JetStream: streams, consumers and publishing.

mod cancel;
mod connection;
mod dead;
mod error;
mod metrics;
mod publish;
mod settings;
mod setup;
mod stored;

pub use cancel::Cancel;
pub use connection::Queue;
pub use dead::DeadLetter;
pub use error::QueueError;
pub use metrics::QueueMetrics;
