use crate::{
    BoxKind, Error, Kind,
    file::Head,
    init::{Defaults, Init},
    limits::{MAX_FILE_SAMPLES, MAX_FRAGMENTS},
    moof::Moof,
};
use std::io::{Read, Seek, SeekFrom};

/// A file with one track: an init segment and fragments without a gap between their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Length of the init segment in bytes. It begins at 0.
    pub init: u64,
    /// Video or audio.
    pub kind: Kind,
    /// Ticks a second: the unit of all times.
    pub timescale: u32,
    /// The codec by RFC 6381, for example `avc1.64001f`.
    pub codec: String,
    /// The fragments in the order of the file. A part of a film without frames has none.
    pub fragments: Vec<Fragment>,
}

/// A `moof` with its `mdat`, and the boxes about it that precede it, such as `sidx`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Position in the file, in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub size: u64,
    /// Decode time of the first sample, in ticks.
    pub decode_time: u64,
    /// Sum of the durations of all samples, in ticks.
    pub duration: u64,
    /// Number of samples, at least 1.
    pub samples: u32,
    /// The smallest presentation time, in ticks. Where an encoder delays decode times, it lies before `decode_time`.
    pub first_pts: i64,
    /// The largest presentation time, in ticks.
    pub last_pts: i64,
    /// The first sample is a key frame; every sample of sound is one.
    pub starts_with_sync: bool,
    /// Bytes from `offset` to the end of the first sample: a range that contains one picture.
    pub first_sample_end: u64,
}

impl Fragment {
    /// Decode time of the next fragment, in ticks, if there is no gap.
    pub fn end(&self) -> u64 {
        self.decode_time.saturating_add(self.duration)
    }
}

impl Track {
    /// Reads the init segment and the heads of the fragments; the media data is skipped.
    ///
    /// # Errors
    /// The file cannot be read, was cut, exceeds a limit of this crate, has another number of tracks than one or an
    /// unknown codec, or contains something that does not survive the move of a fragment to another file.
    pub fn read(mut file: impl Read + Seek) -> Result<Track, Error> {
        let length = file.seek(SeekFrom::End(0))?;
        let (mut track, defaults) = read_init(&mut file, length, &mut Vec::new())?;
        track.read_fragments(&mut file, length, &defaults)?;
        Ok(track)
    }

    /// Reads the init segment of a file that is still being written; `None` when it is not complete. [`Track::extend`] reads the fragments.
    ///
    /// # Errors
    /// Those of [`Track::read`], without those of a file that was cut.
    pub fn begin(mut file: impl Read + Seek) -> Result<Option<Track>, Error> {
        let length = file.seek(SeekFrom::End(0))?;
        match read_init(&mut file, length, &mut Vec::new()) {
            Ok((track, _)) => Ok(Some(track)),
            Err(error) if error.is_end() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the fragments that were completed since the last call.
    ///
    /// # Errors
    /// Those of [`Track::begin`].
    pub fn extend(&mut self, mut file: impl Read + Seek) -> Result<(), Error> {
        let length = file.seek(SeekFrom::End(0))?;
        let (_, defaults) = read_init(&mut file, length, &mut Vec::new())?;
        match self.read_fragments(&mut file, length, &defaults) {
            Err(error) if error.is_end() => Ok(()),
            read => read,
        }
    }

    /// Reads the fragments behind the last one.
    fn read_fragments(
        &mut self,
        file: &mut (impl Read + Seek),
        length: u64,
        defaults: &Defaults,
    ) -> Result<(), Error> {
        let mut buffer = Vec::new();
        let known = self.fragments.iter().map(|one| u64::from(one.samples));
        let mut samples: u64 = known.sum();
        let mut position = self
            .fragments
            .last()
            .map_or(self.init, |last| last.offset + last.size);
        while let Some((fragment, end)) = read_fragment(
            file,
            position,
            length,
            self.fragments.len(),
            defaults,
            &mut buffer,
        )? {
            if self.fragments.len() == MAX_FRAGMENTS {
                return Err(Error::TooMany {
                    what: "fragments",
                    limit: MAX_FRAGMENTS as u64,
                });
            }
            samples += u64::from(fragment.samples);
            if samples > MAX_FILE_SAMPLES {
                return Err(Error::TooMany {
                    what: "samples",
                    limit: MAX_FILE_SAMPLES,
                });
            }
            self.fragments.push(fragment);
            position = end;
        }
        Ok(())
    }
}

/// Reads `ftyp` and `moov`.
fn read_init(
    file: &mut (impl Read + Seek),
    length: u64,
    buffer: &mut Vec<u8>,
) -> Result<(Track, Defaults), Error> {
    let ftyp = expect(file, 0, length, b"ftyp")?;
    let moov = expect(file, ftyp.end(), length, b"moov")?;
    let init = Init::read(&moov.content(file, buffer)?)?;
    let track = Track {
        init: moov.end(),
        kind: init.kind,
        timescale: init.timescale,
        codec: init.codec,
        fragments: Vec::new(),
    };
    Ok((track, init.defaults))
}

/// The head of a box that must be of this `kind`.
fn expect(file: &mut (impl Read + Seek), offset: u64, length: u64, kind: &[u8; 4]) -> Result<Head, Error> {
    let head = Head::read(file, offset, length)?.ok_or(Error::Missing(BoxKind(*kind)))?;
    if head.kind == *kind {
        Ok(head)
    } else {
        let Head { kind, offset, .. } = head;
        Err(Error::Unexpected { kind, offset })
    }
}

/// Returns the head of the `moof` at or after `start`; `None` at the end of the file.
///
/// # Errors
/// Another box than those that may precede a `moof` comes first, or none follows them.
pub(crate) fn find_moof(
    file: &mut (impl Read + Seek),
    start: u64,
    length: u64,
) -> Result<Option<Head>, Error> {
    let mut offset = start;
    while let Some(head) = Head::read(file, offset, length)? {
        match &head.kind.0 {
            b"moof" => return Ok(Some(head)),
            b"styp" | b"sidx" | b"prft" | b"emsg" | b"free" => offset = head.end(),
            _ => {
                let Head { kind, offset, .. } = head;
                return Err(Error::Unexpected { kind, offset });
            }
        }
    }
    match offset == start {
        true => Ok(None),
        false => Err(Error::Missing(BoxKind(*b"moof"))),
    }
}

/// Reads the fragment at `start`, and returns it with the position after it; `None` at the end of the file.
fn read_fragment(
    file: &mut (impl Read + Seek),
    start: u64,
    length: u64,
    number: usize,
    defaults: &Defaults,
    buffer: &mut Vec<u8>,
) -> Result<Option<(Fragment, u64)>, Error> {
    let Some(head) = find_moof(file, start, length)? else {
        return Ok(None);
    };
    let moof = Moof::read(&head.content(file, buffer)?, number, defaults)?;
    let data = expect(file, head.end(), length, b"mdat")?;
    // Positions of samples count from the `moof`. They are below 2^50, as is the length of any file.
    let inside = head.offset + moof.data_start >= data.offset + data.header
        && head.offset.saturating_add(moof.data_end) <= data.end();
    if !inside {
        return Err(Error::Malformed {
            kind: BoxKind(*b"trun"),
            problem: "has samples outside its media data",
        });
    }
    let lead = head.offset - start;
    let fragment = Fragment {
        offset: start,
        size: data.end() - start,
        decode_time: moof.decode_time,
        duration: moof.duration,
        samples: moof.samples,
        first_pts: moof.first_pts,
        last_pts: moof.last_pts,
        starts_with_sync: moof.starts_with_sync,
        first_sample_end: lead + moof.first_sample + u64::from(moof.first_size),
    };
    Ok(Some((fragment, data.end())))
}

#[cfg(test)]
mod tests;
