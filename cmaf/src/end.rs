use crate::{
    BoxKind, Error, Track,
    boxes::Box,
    moof::{Header, Run, decode_time},
    track::find_moof,
};
use std::io::{Read, Seek, SeekFrom, Write};

impl Track {
    /// Makes the last sample last until `end`, in ticks: a writer only guesses its duration.
    ///
    /// `file` is the file from which the track was read. Four bytes change there, and the duration of the last fragment
    /// here; neither changes when the fragment already ends at `end`.
    ///
    /// # Errors
    /// [`Error::SharedDuration`] when the samples of the last fragment have one duration, which is stored once;
    /// [`Error::End`] when the last sample does not begin before `end`, as after a part whose encoder delays decode times;
    /// [`Error::Empty`] without a fragment. These leave the file unchanged, and presentation times are right without the
    /// correction. Others: the file cannot be read or written, or is not that of this track.
    pub fn set_end(&mut self, file: &mut (impl Read + Write + Seek), end: u64) -> Result<(), Error> {
        let fragment = self.fragments.last_mut().ok_or(Error::Empty)?;
        if fragment.end() == end {
            return Ok(());
        }
        let file_end = fragment.offset.saturating_add(fragment.size);
        let head = find_moof(file, fragment.offset, file_end)?.ok_or(Error::Missing(BoxKind(*b"moof")))?;
        let mut buffer = Vec::new();
        let traf = head.content(file, &mut buffer)?.get(b"traf")?;
        if decode_time(&traf.get(b"tfdt")?)? != fragment.decode_time {
            return Err(traf.cursor().error("is not that of the track"));
        }
        let at = last_duration_at(&traf, fragment.samples)?;
        let stored = at.and_then(|at| buffer.get(at..at + 4)?.try_into().ok());
        let (Some(at), Some(old)) = (at, stored.map(u32::from_be_bytes)) else {
            let shared = fragment.duration / u64::from(fragment.samples.max(1));
            return Err(Error::SharedDuration(u32::try_from(shared).unwrap_or(u32::MAX)));
        };
        let before = fragment.duration.saturating_sub(old.into());
        let last_sample = fragment.decode_time.saturating_add(before);
        let new = end
            .checked_sub(last_sample)
            .and_then(|new| u32::try_from(new).ok());
        let new = new
            .filter(|new| *new > 0)
            .ok_or(Error::End { end, last_sample })?;
        file.seek(SeekFrom::Start(head.offset + head.header + at as u64))?;
        file.write_all(&new.to_be_bytes())?;
        fragment.duration = before + u64::from(new);
        Ok(())
    }
}

/// Position of the last sample's duration in the content of the `moof`; `None` when other samples share it.
fn last_duration_at(traf: &Box, samples: u32) -> Result<Option<usize>, Error> {
    let mut last = None;
    for child in traf.children(0) {
        let child = child?;
        if child.kind == *b"trun" {
            last = Some(Run::read(&child)?).filter(|run| run.count > 0).or(last);
        }
    }
    let header = Header::read(&traf.get(b"tfhd")?)?;
    let alone = (samples == 1 && header.duration.is_some()).then_some(header.duration_at);
    Ok(last.and_then(|run| run.last_duration_at()).or(alone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{TFHD, fragment, init, three, words};
    use std::io::Cursor;

    /// Sets the end of a file with these bytes after its init segment, and reads it again.
    fn set(fragments: &[u8], end: u64) -> Result<usize, Error> {
        let before = [init(&[]), fragments.to_vec()].concat();
        let mut file = Cursor::new(before.clone());
        let mut track = Track::read(&mut file)?;
        let result = track.set_end(&mut file, end);
        let changed = before
            .iter()
            .zip(file.get_ref())
            .filter(|(old, new)| old != new)
            .count();
        assert_eq!(
            Track::read(&mut file)?,
            track,
            "the track shows what the file has"
        );
        if result.is_err() {
            assert_eq!(changed, 0);
        } else {
            assert_eq!(track.fragments.last().unwrap().end(), end);
        }
        result.map(|()| changed)
    }

    #[test]
    fn the_last_sample_is_changed_where_its_duration_is() {
        let own = fragment(TFHD, 1000, &[&[0x301, 2, 0, 40, 3, 41, 3]], 60);
        assert_eq!(set(&own, 1081).unwrap(), 0);
        assert_eq!(set(&own, 1082).unwrap(), 1);
        assert_eq!(set(&[three(880), own.clone()].concat(), 1041).unwrap(), 1);
        assert_eq!(set(&own, 1040 + u64::from(u32::MAX)).unwrap(), 4);
        let alone = fragment(TFHD, 1000, &[&[1, 1, 0]], 60);
        assert_eq!(set(&alone, 1300).unwrap(), 2);
        let two_runs = fragment(TFHD, 1000, &[&[1, 5, 0], &[0x100, 1, 7], &[0, 0]], 60);
        assert_eq!(set(&two_runs, 1208).unwrap(), 1);
    }

    #[test]
    fn other_ends_are_refused() {
        let check = |fragments: &[u8], end, expected: &str| {
            assert_eq!(set(fragments, end).unwrap_err().to_string(), expected);
        };
        let own = fragment(TFHD, 1000, &[&[0x301, 2, 0, 40, 3, 41, 3]], 60);
        check(
            &own,
            1040,
            "the last sample begins at 1040 and cannot end at 1040",
        );
        check(&own, 0, "the last sample begins at 1040 and cannot end at 0");
        check(
            &own,
            u64::MAX,
            &format!("the last sample begins at 1040 and cannot end at {}", u64::MAX),
        );
        let shared =
            "the samples of the last fragment share the duration 40; the last one cannot have another";
        check(&three(1000), 1121, shared);
        check(&fragment(&[0, 1], 1000, &[&[1, 1, 0]], 60), 1041, shared);
        check(&[], 1000, "the track has no fragment");
    }

    #[test]
    fn another_file_is_not_changed() {
        let file = |time| Cursor::new([init(&[]), fragment(TFHD, time, &[&[1, 1, 0]], 60)].concat());
        let mut track = Track::read(file(1000)).unwrap();
        let mut other = file(2000);
        assert!(track.set_end(&mut other, 1050).is_err());
        assert_eq!(other.into_inner(), file(2000).into_inner());
        assert!(track.set_end(&mut Cursor::new(words(&[8])), 1050).is_err());
    }
}
