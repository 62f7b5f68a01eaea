use crate::BoxKind;
use std::io;

/// A reason why a file is not a track that can be split and joined.
///
/// Fragments are counted from 0. Times are in the timescale of the track.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("the file cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// A box has more bytes than its surroundings, usually because the file was cut.
    #[error("the box {kind} at byte {offset} ends beyond its file or parent box")]
    Truncated {
        /// The box.
        kind: BoxKind,
        /// Its position in the file, or in the `moov` or `moof` that contains it.
        offset: u64,
    },
    /// A box contradicts the standard, or uses a part of the standard that forbids moving its fragment.
    #[error("the box {kind} {problem}")]
    Malformed {
        /// The box.
        kind: BoxKind,
        /// The problem, as the end of a sentence.
        problem: &'static str,
    },
    /// A mandatory box is absent.
    #[error("the box {0} is missing")]
    Missing(BoxKind),
    /// A box is at a place where it does not belong.
    #[error("unexpected box {kind} at byte {offset}")]
    Unexpected {
        /// The box.
        kind: BoxKind,
        /// Its position in the file.
        offset: u64,
    },
    /// The file has more of something than the reader accepts.
    #[error("more than {limit} {what}")]
    TooMany {
        /// The counted things.
        what: &'static str,
        /// The largest accepted number.
        limit: u64,
    },
    /// The file does not have exactly one track.
    #[error("{0} tracks instead of one")]
    Tracks(usize),
    /// The codec has no known RFC 6381 string.
    #[error("the sample entry {0} is no known codec")]
    UnknownCodec(BoxKind),
    /// A time does not fit into 64 bits.
    #[error("a time in fragment {fragment} does not fit into 64 bits")]
    TimeOverflow {
        /// The fragment.
        fragment: usize,
    },
    /// The decode time is negative, stored as a number of 2^63 or more; some players fail on it.
    #[error("fragment {fragment} has the negative decode time {time}")]
    NegativeTime {
        /// The fragment.
        fragment: usize,
        /// Its decode time.
        time: i64,
    },
    /// The fragment begins before the end of the one before it.
    #[error("fragment {fragment} begins at {start}, before the previous one ends at {previous_end}")]
    Overlap {
        /// The fragment.
        fragment: usize,
        /// Its decode time.
        start: u64,
        /// The end of the fragment before it.
        previous_end: u64,
    },
    /// Sound is missing between two fragments.
    #[error("fragment {fragment} begins at {start}, after the previous one ends at {previous_end}")]
    Gap {
        /// The fragment.
        fragment: usize,
        /// Its decode time.
        start: u64,
        /// The end of the fragment before it.
        previous_end: u64,
    },
    /// A player cannot begin at this fragment.
    #[error("fragment {fragment} begins without a key frame")]
    NoKeyFrame {
        /// The fragment.
        fragment: usize,
    },
    /// The track has no fragment whose end could be set.
    #[error("the track has no fragment")]
    Empty,
    /// The last sample begins at or after the requested end, or more than 2^32 − 1 ticks before it.
    #[error("the last sample begins at {last_sample} and cannot end at {end}")]
    End {
        /// The requested end.
        end: u64,
        /// Decode time of the last sample.
        last_sample: u64,
    },
    /// All samples of the last fragment share one duration, so that the last one cannot have another.
    #[error("the samples of the last fragment share the duration {0}; the last one cannot have another")]
    SharedDuration(u32),
}

impl Error {
    /// True where the bytes may only end too early, as those of a file that is still being written.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Error::Truncated { .. } | Error::Missing(_))
    }
}
