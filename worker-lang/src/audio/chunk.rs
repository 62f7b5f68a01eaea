//! Units of audio: samples, chunks and seconds.

/// Samples per second of all audio in this crate: one channel, 32-bit floats.
pub(crate) const RATE: usize = 16_000;
/// Samples of a chunk, the unit of voice activity detection: 32 ms.
pub(crate) const CHUNK: usize = 512;

/// The smallest number of chunks that lasts at least `seconds`.
pub(crate) const fn chunks(seconds: f64) -> usize {
    (seconds * RATE as f64 / CHUNK as f64).ceil() as usize
}

/// Duration of `samples` in seconds.
pub(crate) fn seconds(samples: usize) -> f64 {
    samples as f64 / RATE as f64
}

/// The chunk that contains a point in time, given in seconds.
pub(crate) fn chunk_at(time: f64) -> usize {
    (time * RATE as f64 / CHUNK as f64 + 1e-6) as usize
}

/// Start of a chunk in seconds.
pub(crate) fn time_of(chunk: usize) -> f64 {
    seconds(chunk * CHUNK)
}
