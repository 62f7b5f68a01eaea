/// The largest accepted `moov` or `moof`, in bytes.
pub const MAX_HEADER: u64 = 1 << 20;
/// The most fragments in a file.
pub const MAX_FRAGMENTS: usize = 100_000;
/// The most samples in a fragment.
pub const MAX_SAMPLES: u32 = 100_000;

/// The most samples in a file: a day of 100 pictures a second. A box of some bytes can declare many samples.
pub(crate) const MAX_FILE_SAMPLES: u64 = 10_000_000;
