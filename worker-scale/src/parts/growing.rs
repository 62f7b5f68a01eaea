//! The sound of a film that is still being made, as track files that grow.

use crate::stream::{entry, segments};
use anyhow::{Context, Result};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};
use vidp_cmaf::{Fragment, Track};
use vidp_contract::{OutputFile, StreamAudio};

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

    /// Writes the fragments that begin before this second and are not published to `path`. Returns their entry in the index of a part;
    /// `None` when there are none.
    pub(super) async fn piece(&self, second: f64, path: &Path) -> Result<Option<StreamAudio>> {
        let Some(track) = &self.track else {
            return Ok(None);
        };
        let end = second * f64::from(track.timescale);
        let is_new = |one: &&Fragment| {
            let begins = segments::begins(one);
            begins >= self.until && (begins as f64) < end
        };
        let fragments: Vec<Fragment> = track.fragments.iter().filter(is_new).cloned().collect();
        let (Some(first), Some(last)) = (fragments.first(), fragments.last()) else {
            return Ok(None);
        };
        let start = segments::begins(first);
        let (init, bytes) = (track.init, first.offset..last.offset + last.size);
        let (source, target) = (self.path.clone(), path.to_owned());
        let copied = tokio::task::spawn_blocking(move || copy(&source, &target, init, bytes));
        copied.await?.context("a piece of the sound cannot be written")?;
        let piece = Track {
            fragments,
            ..track.clone()
        };
        let places = segments::boundaries(&[&piece]).remove(0);
        Ok(Some(StreamAudio {
            track: entry(&self.file, &piece, start, segments::segments(&piece, &places)),
            language: self.language.clone(),
            channels: self.channels,
        }))
    }
}

/// Copies the init segment and a range of bytes.
fn copy(source: &Path, target: &Path, init: u64, bytes: Range<u64>) -> io::Result<()> {
    let (mut source, mut target) = (File::open(source)?, File::create(target)?);
    io::copy(&mut (&mut source).take(init), &mut target)?;
    source.seek(SeekFrom::Start(bytes.start))?;
    io::copy(&mut source.take(bytes.end - bytes.start), &mut target)?;
    Ok(())
}
