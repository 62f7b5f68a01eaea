use crate::{Error, Kind, boxes::Box, codec};

/// The facts of a `moov` with one track.
#[derive(Debug)]
pub(crate) struct Init {
    pub(crate) kind: Kind,
    pub(crate) timescale: u32,
    pub(crate) codec: String,
    pub(crate) defaults: Defaults,
}

/// Values of samples for which a fragment has none: `trex`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) track: u32,
    pub(crate) duration: u32,
    pub(crate) size: u32,
    pub(crate) flags: u32,
}

impl Init {
    /// Reads a `moov`.
    ///
    /// # Errors
    /// It has another number of tracks than one, no `mvex`, an edit list that moves the track in time, or an
    /// unknown codec.
    pub(crate) fn read(moov: &Box) -> Result<Init, Error> {
        let mut tracks = Vec::new();
        for child in moov.children(0) {
            let child = child?;
            if child.kind == *b"trak" {
                tracks.push(child);
            }
        }
        let [track] = tracks[..] else {
            return Err(Error::Tracks(tracks.len()));
        };
        let defaults = defaults(&moov.get(b"mvex")?.get(b"trex")?, id(&track.get(b"tkhd")?)?)?;
        if let Some(edits) = track.find(b"edts")? {
            refuse_edits(&edits.get(b"elst")?)?;
        }
        let media = track.get(b"mdia")?;
        let samples = media.get(b"minf")?.get(b"stbl")?;
        Ok(Init {
            kind: handler(&media.get(b"hdlr")?)?,
            timescale: timescale(&media.get(b"mdhd")?)?,
            codec: sample_entry(&samples.get(b"stsd")?)?,
            defaults,
        })
    }
}

fn defaults(trex: &Box, track: u32) -> Result<Defaults, Error> {
    let mut cursor = trex.cursor();
    cursor.version_and_flags()?;
    if cursor.u32()? != track {
        return Err(cursor.error("belongs to another track"));
    }
    let _description = cursor.u32()?;
    Ok(Defaults {
        track,
        duration: cursor.u32()?,
        size: cursor.u32()?,
        flags: cursor.u32()?,
    })
}

/// The id of the track.
fn id(tkhd: &Box) -> Result<u32, Error> {
    let mut cursor = tkhd.cursor();
    let (version, _) = cursor.version_and_flags()?;
    cursor.take(if version == 1 { 16 } else { 8 })?;
    cursor.u32()
}

/// Ticks a second.
fn timescale(mdhd: &Box) -> Result<u32, Error> {
    let mut cursor = mdhd.cursor();
    let (version, _) = cursor.version_and_flags()?;
    cursor.take(if version == 1 { 16 } else { 8 })?;
    match cursor.u32()? {
        0 => Err(cursor.error("has the timescale 0")),
        ticks => Ok(ticks),
    }
}

fn handler(hdlr: &Box) -> Result<Kind, Error> {
    let mut cursor = hdlr.cursor();
    cursor.take(8)?;
    match &cursor.kind()?.0 {
        b"vide" => Ok(Kind::Video),
        b"soun" => Ok(Kind::Audio),
        _ => Err(cursor.error("is of neither video nor audio")),
    }
}

/// The codec of the only sample entry.
fn sample_entry(stsd: &Box) -> Result<String, Error> {
    let mut cursor = stsd.cursor();
    cursor.version_and_flags()?;
    let (count, fields) = (cursor.u32()?, cursor.position());
    let mut entries = stsd.children(fields);
    match (count, entries.next(), entries.next()) {
        (1, Some(entry), None) => codec::string(&entry?),
        _ => Err(cursor.error("has another number of sample entries than one")),
    }
}

/// Refuses edits that move the track: a joined file would keep those of its first part only.
fn refuse_edits(elst: &Box) -> Result<(), Error> {
    let mut cursor = elst.cursor();
    let (version, _) = cursor.version_and_flags()?;
    for _ in 0..cursor.u32()? {
        let start = if version == 1 {
            cursor.u64()?;
            cursor.u64()?
        } else {
            cursor.u32()?;
            u64::from(cursor.u32()?)
        };
        let _rate = cursor.u32()?;
        if start != 0 {
            return Err(cursor.error("moves the track in time"));
        }
    }
    Ok(())
}
