use crate::Error;

/// The most references of a `sidx`: their number has 16 bits.
const MAX_REFERENCES: u64 = u16::MAX as u64;
/// The most bytes of a segment: a size has 31 bits.
const MAX_SIZE: u64 = (1 << 31) - 1;
/// Id of the only track, as ffmpeg numbers it.
const TRACK: u32 = 1;
/// A segment that begins with a key frame whose pictures are all shown later: stream access point type 1.
const STARTS_WITH_SAP: u32 = 0x9000_0000;

/// Writes the segment index of a track file (`sidx`, ISO/IEC 14496-12, section 8.16.3), by which players of DASH find the segments. It stands
/// between the init segment and the first segment.
///
/// `start` is the time of the first segment in ticks. Each segment is its bytes and its ticks.
///
/// # Errors
/// More segments than an index may have, or a segment that is too long or too large for one.
pub fn segment_index(timescale: u32, start: u64, segments: &[(u64, u64)]) -> Result<Vec<u8>, Error> {
    let count = segments.len() as u64;
    let count = u16::try_from(count).map_err(|_| Error::TooMany {
        what: "segments in an index",
        limit: MAX_REFERENCES,
    })?;
    // Version 1, with times of 64 bits, and no bytes between the index and the first segment.
    let mut content = [0x0100_0000, TRACK, timescale].map(u32::to_be_bytes).concat();
    content.extend([start, 0].map(u64::to_be_bytes).concat());
    content.extend(u32::from(count).to_be_bytes());
    for (size, duration) in segments {
        let too_large = |what, limit| Error::TooMany { what, limit };
        let size = u32::try_from(*size)
            .ok()
            .filter(|size| u64::from(*size) <= MAX_SIZE);
        let size = size.ok_or_else(|| too_large("bytes in a segment", MAX_SIZE))?;
        let duration = u32::try_from(*duration);
        let duration = duration.map_err(|_| too_large("ticks in a segment", u32::MAX.into()))?;
        content.extend([size, duration, STARTS_WITH_SAP].map(u32::to_be_bytes).concat());
    }
    let mut index = (content.len() as u32 + 8).to_be_bytes().to_vec();
    index.extend(b"sidx");
    index.extend(content);
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Track,
        samples::{hex, init, three},
    };
    use std::io::Cursor;

    #[test]
    fn an_index_has_the_layout_of_the_standard() {
        let index = segment_index(90_000, 7, &[(1000, 360_000), (500, 180_000)]).unwrap();
        let expected = "00000040 73696478 01000000 00000001 00015f90 0000000000000007 0000000000000000 0000 0002 \
                        000003e8 00057e40 90000000 000001f4 0002bf20 90000000";
        assert_eq!(index, hex(expected));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let check = |segments: &[(u64, u64)], expected: &str| {
            assert_eq!(
                segment_index(1000, 0, segments).unwrap_err().to_string(),
                expected
            );
        };
        check(&vec![(1, 1); 65_536], "more than 65535 segments in an index");
        check(&[(1 << 31, 1)], "more than 2147483647 bytes in a segment");
        check(&[(1, 1 << 32)], "more than 4294967295 ticks in a segment");
    }

    #[test]
    fn a_file_with_an_index_is_read_as_one_without() {
        let index = segment_index(1000, 0, &[(10, 20)]).unwrap();
        let file = [init(&[]), index.clone(), three(0), three(120)].concat();
        let track = Track::read(Cursor::new(file)).unwrap();
        assert_eq!(track.fragments.len(), 2);
        assert_eq!(track.fragments[0].size, (index.len() + three(0).len()) as u64);
    }
}
