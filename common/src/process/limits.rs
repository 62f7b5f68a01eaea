use std::time::Duration;

/// Resource limits of a child program.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall-clock time.
    pub wall: Duration,
    /// Processor time of all threads together.
    pub cpu: Duration,
    /// Bytes of address space.
    pub memory: u64,
    /// Maximum size in bytes of each file that the child writes.
    pub file_size: u64,
}
