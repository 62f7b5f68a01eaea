//! The sound of a film that is still being made, as track files that grow.

use crate::stream::segments;
use anyhow::{Context, Result};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};
use vidp_cmaf::{Fragment, Track};
use vidp_contract::{OutputFile, StreamAudio, StreamTrack};

/// A track file that ffmpeg is writing.
pub(super) struct GrowingSound {
    pub(super) path: PathBuf,
    /// The name of the track in the stream.
    pub(super) file: OutputFile,
    pub(super) language: Option<String>,
    pub(super) channels: u32,
    /// The complete fragments; `None` before there is an init segment.
    pub(super) track: Option<Track>,
    /// Time in ticks up to which the track is published.
    pub(super) until: u64,
}

/// A piece of a track: its entry in the index of a part, and the file to store.
pub(super) struct Piece {
    pub(super) audio: StreamAudio,
    pub(super) file: OutputFile,
    pub(super) path: PathBuf,
}

impl GrowingSound {
    /// Reads what ffmpeg has written since the last call.
    pub(super) fn read(&mut self) -> Result<()> {
        let Ok(file) = File::open(&self.path) else {
            // ffmpeg has not begun yet.
            return Ok(());
        };
        let mut file = BufReader::new(file);
        if self.track.is_none() {
            self.track = Track::begin(&mut file)?;
        }
        match &mut self.track {
            Some(track) => Ok(track.extend(file)?),
            None => Ok(()),
        }
    }

    /// True when the track has all sound before this second.
    pub(super) fn covers(&self, second: f64) -> bool {
        let track = self.track.as_ref();
        track.is_some_and(|track| {
            let end = track.fragments.last().map_or(0, Fragment::end);
            end as f64 >= second * f64::from(track.timescale)
        })
    }

    /// Writes the fragments that begin before this second and are not published to `path`; `None` when there are none.
    pub(super) fn take(&mut self, second: f64, path: &Path) -> Result<Option<Piece>> {
        let Some(track) = &self.track else {
            return Ok(None);
        };
        let end = second * f64::from(track.timescale);
        let is_new =
            |one: &&Fragment| segments::begins(one) >= self.until && (segments::begins(one) as f64) < end;
        let fragments: Vec<Fragment> = track.fragments.iter().filter(is_new).cloned().collect();
        let (Some(first), Some(last)) = (fragments.first(), fragments.last()) else {
            return Ok(None);
        };
        let (start, until) = (segments::begins(first), last.end());
        let (from, to) = (first.offset, last.offset + last.size);
        copy(&self.path, path, track.init, from, to).context("a piece of the sound cannot be written")?;
        let piece = Track {
            fragments,
            ..track.clone()
        };
        let places = segments::boundaries(&[&piece]).remove(0);
        let entry = StreamTrack {
            name: self.file.name.to_string(),
            codec: piece.codec.clone(),
            timescale: piece.timescale,
            init: piece.init,
            index: 0,
            start,
            segments: segments::segments(&piece, &places),
        };
        self.until = until;
        Ok(Some(Piece {
            audio: StreamAudio {
                track: entry,
                language: self.language.clone(),
                channels: self.channels,
            },
            file: self.file.clone(),
            path: path.to_owned(),
        }))
    }
}

/// Copies the init segment and the bytes from `from` to `to`.
fn copy(source: &Path, target: &Path, init: u64, from: u64, to: u64) -> io::Result<()> {
    let (mut source, mut target) = (File::open(source)?, File::create(target)?);
    io::copy(&mut (&mut source).take(init), &mut target)?;
    source.seek(SeekFrom::Start(from))?;
    io::copy(&mut source.take(to - from), &mut target)?;
    Ok(())
}
