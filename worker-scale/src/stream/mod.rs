//! Makes finished renditions streamable: a CMAF file for each picture and each audio track, by copying, and their index.
//!
//! The pictures of the rendition and of its track file are the same bytes. Sound is a file of its own, as players expect it, and comes
//! from the largest rendition.

mod args;
mod segments;

use crate::{
    grid::Grid,
    job::{Encoded, Job, Rendition},
};
use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};
use vidp_cmaf::{Track, segment_index};
use vidp_common::process::Limits;
use vidp_contract::{
    FailureCode, OutputFile, StreamAudio, StreamImages, StreamSet, StreamTrack, StreamVideo,
};
use vidp_worker::ffmpeg::{self, MediaError, process_limits};

/// Bytes that a track file may have beside those of its rendition: the heads of its fragments.
const MAX_HEADS: u64 = 64 << 20;
/// Pictures a second that an index may state.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=1000.0;

/// A stream whose files are in the folder of the job.
pub struct Stream {
    /// The track files.
    pub files: Vec<(OutputFile, PathBuf)>,
    /// Their index.
    pub set: StreamSet,
}

/// A rendition's track file, and those of its audio tracks.
struct Packaged {
    picture: Made,
    sounds: Vec<Made>,
}

/// A track file and its boxes.
struct Made {
    file: OutputFile,
    path: PathBuf,
    track: Track,
}

impl Job<'_> {
    /// Packages the renditions. `None` when they cannot be streamed, which fails no job: the renditions are whole.
    ///
    /// # Errors
    /// A failure of the machine, or a cancellation.
    pub async fn stream(&self, encoded: &Encoded) -> Result<Option<Stream>, MediaError> {
        match self.package(&encoded.renditions).await {
            Err(MediaError::Media { code, detail }) => {
                tracing::warn!(%code, detail, "the renditions cannot be streamed");
                Ok(None)
            }
            packaged => packaged.map(Some),
        }
    }

    async fn package(&self, renditions: &[Rendition]) -> Result<Stream, MediaError> {
        let mut packaged = Vec::new();
        for (number, rendition) in renditions.iter().enumerate() {
            packaged.push(self.tracks(rendition, number == 0).await?);
        }
        // A copied picture has the key frames of its source, so that its segments begin elsewhere.
        let is_regular = |rendition: &&Rendition| !rendition.is_copy;
        let regular = renditions.iter().zip(&packaged);
        let regular: Vec<&Track> = regular
            .filter(|(rendition, _)| is_regular(rendition))
            .map(|(_, made)| &made.picture.track)
            .collect();
        let common = segments::boundaries(&regular);

        let (mut files, mut video, mut audio) = (Vec::new(), Vec::new(), Vec::new());
        for (rendition, Packaged { picture, sounds }) in renditions.iter().zip(packaged) {
            let own = segments::boundaries(&[&picture.track]);
            let places = if rendition.is_copy { own } else { common.clone() };
            let shown = rendition.facts.video.as_ref();
            let (track, file) = written(picture, places).await?;
            video.push(StreamVideo {
                track,
                width: rendition.rung.width,
                height: rendition.rung.height,
                fps: shown
                    .map_or(0.0, |video| video.fps)
                    .clamp(*RATES.start(), *RATES.end()),
            });
            files.push(file);
            for (sound, facts) in sounds.into_iter().zip(&rendition.facts.audio) {
                let places = segments::boundaries(&[&sound.track]);
                let (track, file) = written(sound, places).await?;
                audio.push(StreamAudio {
                    track,
                    language: facts.language.clone().filter(|text| is_language(text)),
                    channels: facts.channels,
                });
                files.push(file);
            }
        }
        let set = StreamSet {
            video,
            audio,
            images: None,
        };
        Ok(Stream { files, set })
    }

    /// Packages a rendition, with or without its sound.
    async fn tracks(&self, rendition: &Rendition, with_sound: bool) -> Result<Packaged, MediaError> {
        let side = rendition.rung.short_side;
        let sounds = if with_sound {
            rendition.facts.audio.len()
        } else {
            0
        };
        let files = [OutputFile::stream_video(side)]
            .into_iter()
            .chain((1..=sounds).map(OutputFile::stream_audio));
        let files: Vec<(OutputFile, PathBuf)> = files
            .map(|file| {
                let path = self.folder.join(format!("{}.unindexed", file.name));
                (file, path)
            })
            .collect();
        let limits = Limits {
            file_size: rendition.facts.size.saturating_add(MAX_HEADS),
            ..process_limits(rendition.facts.duration)
        };
        let paths: Vec<&Path> = files.iter().map(|(_, path)| path.as_path()).collect();
        let args = args::args(&rendition.path, &paths, self.options.codec);
        tracing::debug!(?args, "ffmpeg");
        let (tools, access) = (&self.settings.tools, self.access());
        ffmpeg::run(tools, args, limits, &access, self.cancel, |_| {})
            .await
            .map_err(MediaError::decoding)?;
        // A long film has thousands of fragments to read.
        let read =
            tokio::task::spawn_blocking(move || files.into_iter().map(read).collect::<Result<Vec<_>, _>>());
        let read = read
            .await
            .map_err(|error| MediaError::reading(io::Error::other(error)))??;
        let mut made = read.into_iter();
        match made.next() {
            Some(picture) => Ok(Packaged {
                picture,
                sounds: made.collect(),
            }),
            None => Err(unusable("has no picture")),
        }
    }
}

fn read((file, path): (OutputFile, PathBuf)) -> Result<Made, MediaError> {
    let opened = File::open(&path).map_err(MediaError::reading)?;
    let track = Track::read(BufReader::new(opened)).map_err(|error| unusable(&error.to_string()))?;
    track.check().map_err(|error| unusable(&error.to_string()))?;
    if track.fragments.is_empty() {
        return Err(unusable(&format!("{} has no fragment", file.name)));
    }
    Ok(Made { file, path, track })
}

/// Writes the track file with its segment index. Returns its entry in the index of the stream, and the file.
async fn written(made: Made, places: Vec<i64>) -> Result<(StreamTrack, (OutputFile, PathBuf)), MediaError> {
    let written = tokio::task::spawn_blocking(move || write(made, &places)).await;
    written.map_err(|error| MediaError::reading(io::Error::other(error)))?
}

fn write(made: Made, places: &[i64]) -> Result<(StreamTrack, (OutputFile, PathBuf)), MediaError> {
    let Made { file, path, track } = made;
    let start = track.fragments.first().map_or(0, |first| first.decode_time);
    let segments = segments::segments(&track, places);
    let sizes: Vec<(u64, u64)> = segments.iter().map(|one| (one.size, one.duration)).collect();
    let index = segment_index(track.timescale, start, &sizes);
    let index = index.map_err(|error| unusable(&error.to_string()))?;
    let target = path.with_file_name(&*file.name);
    insert(&path, &target, track.init, &index).map_err(MediaError::reading)?;
    let entry = StreamTrack {
        name: file.name.to_string(),
        codec: track.codec,
        timescale: track.timescale,
        init: track.init,
        index: index.len() as u64,
        start,
        segments,
    };
    Ok((entry, (file, target)))
}

/// Moves a file to `target`, with other bytes inserted at a position.
fn insert(from: &Path, target: &Path, position: u64, bytes: &[u8]) -> io::Result<()> {
    let (mut from_file, mut to) = (File::open(from)?, File::create(target)?);
    io::copy(&mut (&mut from_file).take(position), &mut to)?;
    to.write_all(bytes)?;
    io::copy(&mut from_file, &mut to)?;
    std::fs::remove_file(from)
}

/// True for a language that a playlist may name. A container may have any text there.
fn is_language(text: &str) -> bool {
    (1..=35).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn unusable(reason: &str) -> MediaError {
    MediaError::media(FailureCode::Internal, reason)
}

/// The storyboard of a rendition in an index. `size` is the bytes of the image.
pub(crate) fn images(grid: &Grid, size: u64) -> StreamImages {
    StreamImages {
        columns: grid.columns,
        rows: grid.rows,
        width: grid.width,
        height: grid.height,
        interval: grid.interval,
        size,
    }
}
