use std::time::Duration;

/// What a child may use at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time on the clock.
    pub wall: Duration,
    /// Processor time over all threads.
    pub cpu: Duration,
    /// Bytes of address space.
    pub memory: u64,
    /// Bytes of any one file it writes.
    pub file_size: u64,
    /// It may open connections to other machines: its input is a URL.
    pub network: bool,
}
