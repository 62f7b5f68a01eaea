use crate::{BoxKind, Error, MAX_SAMPLES, boxes::Box, cursor::Cursor, init::Defaults};

/// The facts of a `moof` with samples of one track. Positions count from its first byte.
#[derive(Debug)]
pub(crate) struct Moof {
    pub(crate) decode_time: u64,
    pub(crate) duration: u64,
    pub(crate) samples: u32,
    pub(crate) first_pts: i64,
    pub(crate) last_pts: i64,
    pub(crate) starts_with_sync: bool,
    /// The first byte of the first sample.
    pub(crate) first_sample: u64,
    /// Bytes of the first sample.
    pub(crate) first_size: u32,
    /// The smallest position of media data.
    pub(crate) data_start: u64,
    /// The position after the largest one.
    pub(crate) data_end: u64,
}

/// `tfhd`: the values of samples that a run has not.
pub(crate) struct Header {
    pub(crate) track: u32,
    pub(crate) duration: Option<u32>,
    /// Position of the duration in the content of the `moof`.
    pub(crate) duration_at: usize,
    size: Option<u32>,
    flags: Option<u32>,
}

impl Header {
    /// Reads a `tfhd`.
    ///
    /// # Errors
    /// It uses a position in the file or another sample entry.
    pub(crate) fn read(tfhd: &Box) -> Result<Header, Error> {
        let mut cursor = tfhd.cursor();
        let (_, flags) = cursor.version_and_flags()?;
        let track = cursor.u32()?;
        if flags & 0x1 != 0 {
            return Err(cursor.error("has a position in its file, so that its fragment cannot move"));
        }
        if flags & 0x2 != 0 && cursor.u32()? != 1 {
            return Err(cursor.error("uses another sample entry than the first"));
        }
        let duration_at = tfhd.at + cursor.position();
        let mut optional = |flag| (flags & flag != 0).then(|| cursor.u32()).transpose();
        Ok(Header {
            track,
            duration_at,
            duration: optional(0x8)?,
            size: optional(0x10)?,
            flags: optional(0x20)?,
        })
    }
}

/// Reads the decode time of a fragment: `tfdt`.
pub(crate) fn decode_time(tfdt: &Box) -> Result<u64, Error> {
    let mut cursor = tfdt.cursor();
    match cursor.version_and_flags()? {
        (0, _) => cursor.u32().map(u64::from),
        _ => cursor.u64(),
    }
}

/// `trun`: samples that follow each other in the media data.
pub(crate) struct Run<'a> {
    pub(crate) count: u32,
    version: u8,
    flags: u32,
    offset: Option<u32>,
    first_flags: Option<u32>,
    /// Position of the first entry in the content of the `moof`.
    entries_at: usize,
    entries: Cursor<'a>,
}

/// A sample of a run; `None` for values of the fragment.
struct Entry {
    duration: Option<u32>,
    size: Option<u32>,
    flags: Option<u32>,
    /// Presentation time less decode time.
    offset: i64,
}

impl<'a> Run<'a> {
    /// Reads the head of a `trun`.
    pub(crate) fn read(trun: &Box<'a>) -> Result<Run<'a>, Error> {
        let mut cursor = trun.cursor();
        let (version, flags) = cursor.version_and_flags()?;
        let count = cursor.u32()?;
        let offset = (flags & 0x1 != 0).then(|| cursor.u32()).transpose()?;
        let first_flags = (flags & 0x4 != 0).then(|| cursor.u32()).transpose()?;
        Ok(Run {
            count,
            version,
            flags,
            offset,
            first_flags,
            entries_at: trun.at + cursor.position(),
            entries: Cursor::new(trun.kind, cursor.rest()),
        })
    }

    /// Reads the next sample.
    fn entry(&mut self) -> Result<Entry, Error> {
        let flags = self.flags;
        let mut optional = |flag| (flags & flag != 0).then(|| self.entries.u32()).transpose();
        let (duration, size, sample_flags) = (optional(0x100)?, optional(0x200)?, optional(0x400)?);
        let offset = optional(0x800)?.unwrap_or(0);
        Ok(Entry {
            duration,
            size,
            flags: self.first_flags.take().or(sample_flags),
            offset: match self.version {
                0 => i64::from(offset),
                _ => i64::from(offset.cast_signed()),
            },
        })
    }

    /// Position of the last sample's duration in the content of the `moof`; `None` when the run has no durations.
    pub(crate) fn last_duration_at(&self) -> Option<usize> {
        let entry = 4 * (self.flags & 0xf00).count_ones() as usize;
        let before = usize::try_from(self.count.checked_sub(1)?)
            .ok()?
            .checked_mul(entry)?;
        (self.flags & 0x100 != 0).then_some(self.entries_at + before)
    }
}

impl Moof {
    /// Reads the `moof` with number `fragment`.
    ///
    /// # Errors
    /// It has another number of tracks than one, no sample or too many, or times beyond 64 bits.
    pub(crate) fn read(moof: &Box, fragment: usize, defaults: &Defaults) -> Result<Moof, Error> {
        let traf = moof.get(b"traf")?;
        let values = Header::read(&traf.get(b"tfhd")?)?;
        if values.track != defaults.track {
            return Err(traf.cursor().error("belongs to another track"));
        }
        let start = decode_time(&traf.get(b"tfdt")?)?;
        let mut found: Option<Moof> = None;
        // Without a position, the first run would begin at the `moof` itself.
        let mut position = 0;
        for run in traf.children(0) {
            let run = run?;
            if run.kind != *b"trun" {
                continue;
            }
            let mut run = Run::read(&run)?;
            if let Some(offset) = run.offset {
                position = u64::from(offset);
            }
            if found
                .as_ref()
                .map_or(0, |moof| moof.samples)
                .saturating_add(run.count)
                > MAX_SAMPLES
            {
                return Err(Error::TooMany {
                    what: "samples in a fragment",
                    limit: MAX_SAMPLES.into(),
                });
            }
            for _ in 0..run.count {
                let entry = run.entry()?;
                let size = entry.size.or(values.size).unwrap_or(defaults.size);
                let duration = entry.duration.or(values.duration).unwrap_or(defaults.duration);
                let flags = entry.flags.or(values.flags).unwrap_or(defaults.flags);
                let elapsed = found.as_ref().map_or(0, |moof| moof.duration);
                let pts = pts(start, elapsed, entry.offset).ok_or(Error::TimeOverflow { fragment })?;
                let moof = found.get_or_insert(Moof {
                    decode_time: start,
                    duration: 0,
                    samples: 0,
                    first_pts: pts,
                    last_pts: pts,
                    starts_with_sync: flags & 0x1_0000 == 0,
                    first_sample: position,
                    first_size: size,
                    data_start: position,
                    data_end: position,
                });
                moof.samples += 1;
                moof.duration += u64::from(duration);
                moof.first_pts = moof.first_pts.min(pts);
                moof.last_pts = moof.last_pts.max(pts);
                moof.data_start = moof.data_start.min(position);
                position += u64::from(size);
                moof.data_end = moof.data_end.max(position);
            }
        }
        found.ok_or(Error::Malformed {
            kind: BoxKind(*b"moof"),
            problem: "has no sample",
        })
    }
}

/// Presentation time of a sample. A decode time of 2^63 or more counts as the negative number that a writer meant.
fn pts(start: u64, elapsed: u64, offset: i64) -> Option<i64> {
    let elapsed = i64::try_from(elapsed).ok()?;
    start.cast_signed().checked_add(elapsed)?.checked_add(offset)
}
