//! Makes finished renditions streamable: a CMAF file for each picture and each audio track, by copying, and their index.
//!
//! A track file has the same bytes of each picture as its rendition. Players expect each audio track in a separate file; these files are made
//! from the largest rendition.

mod args;
pub(crate) mod segments;

pub(crate) use args::growing;

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
use vidp_common::process::{Limits, ProcessError};
use vidp_contract::{
    FailureCode, OutputFile, Segment, StreamAudio, StreamImages, StreamSet, StreamTrack, StreamVideo,
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
    /// `None` for one that cannot be streamed.
    sounds: Vec<Option<Made>>,
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
    /// A cancellation.
    pub async fn stream(&self, encoded: &Encoded) -> Result<Option<Stream>, MediaError> {
        match self.package(&encoded.renditions).await {
            Err(error) if !self.cancel.is_cancelled() => {
                tracing::warn!("the renditions cannot be streamed: {error}");
                for file in encoded
                    .renditions
                    .iter()
                    .flat_map(|rendition| names(rendition, true))
                {
                    // The disk may be full.
                    let _ = std::fs::remove_file(self.unindexed(&file));
                    let _ = std::fs::remove_file(self.folder.join(&*file.name));
                }
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
        let pictures: Vec<&Track> = packaged.iter().map(|made| &made.picture.track).collect();
        let places = segments::boundaries(&pictures);

        let (mut files, mut video, mut audio) = (Vec::new(), Vec::new(), Vec::new());
        for ((rendition, Packaged { picture, sounds }), places) in renditions.iter().zip(packaged).zip(places)
        {
            let shown = rendition.facts.video.as_ref();
            let (track, file) = self.written(picture, places).await?;
            video.push(StreamVideo {
                track,
                width: rendition.rung.width,
                height: rendition.rung.height,
                fps: rate(shown.map_or(0.0, |video| video.fps)),
            });
            files.push(file);
            for (sound, facts) in sounds.into_iter().zip(&rendition.facts.audio) {
                let Some(sound) = sound else {
                    continue;
                };
                let places = segments::boundaries(&[&sound.track]).remove(0);
                let (track, file) = self.written(sound, places).await?;
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
        // The API refuses an index with a value out of bounds.
        let text = serde_json::to_vec(&set).map_err(|error| unusable(&error.to_string()))?;
        StreamSet::read(&text).map_err(|reason| unusable(&reason))?;
        Ok(Stream { files, set })
    }

    /// Packages a rendition, with or without its sound.
    async fn tracks(&self, rendition: &Rendition, with_sound: bool) -> Result<Packaged, MediaError> {
        let files: Vec<(OutputFile, PathBuf)> = names(rendition, with_sound)
            .map(|file| {
                let path = self.unindexed(&file);
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
        let mut made = apart(move || files.into_iter().map(read).collect::<Vec<_>>())
            .await?
            .into_iter();
        let picture = made
            .next()
            .unwrap_or_else(|| Err(unusable("there is no picture")))?;
        // Pictures without one of several sounds are better than none.
        let usable = |sound: Result<Made, MediaError>| {
            sound
                .inspect_err(|error| tracing::warn!("an audio track cannot be streamed: {error}"))
                .ok()
        };
        Ok(Packaged {
            picture,
            sounds: made.map(usable).collect(),
        })
    }

    /// Writes the track file with its segment index. Returns its entry in the index of the stream, and the file.
    async fn written(
        &self,
        made: Made,
        places: Vec<i64>,
    ) -> Result<(StreamTrack, (OutputFile, PathBuf)), MediaError> {
        if self.cancel.is_cancelled() {
            return Err(MediaError::Process(ProcessError::Cancelled));
        }
        apart(move || write(made, &places)).await?
    }

    /// The track file as ffmpeg writes it.
    fn unindexed(&self, file: &OutputFile) -> PathBuf {
        self.folder.join(format!("{}.unindexed", file.name))
    }
}

/// The track files of a rendition.
fn names(rendition: &Rendition, with_sound: bool) -> impl Iterator<Item = OutputFile> {
    let sounds = if with_sound {
        rendition.facts.audio.len()
    } else {
        0
    };
    let picture = OutputFile::stream_video(rendition.rung.short_side);
    [picture]
        .into_iter()
        .chain((1..=sounds).map(OutputFile::stream_audio))
}

/// A rate that an index may state.
pub(crate) fn rate(fps: f64) -> f64 {
    fps.clamp(*RATES.start(), *RATES.end())
}

/// Runs work that blocks on a thread for it.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, MediaError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| MediaError::reading(io::Error::other(error)))
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

fn write(made: Made, places: &[i64]) -> Result<(StreamTrack, (OutputFile, PathBuf)), MediaError> {
    let Made { file, path, track } = made;
    let start = track.fragments.first().map_or(0, segments::begins);
    let segments = segments::segments(&track, places);
    let sizes: Vec<(u64, u64)> = segments.iter().map(|one| (one.size, one.duration)).collect();
    let index = segment_index(track.timescale, start, &sizes);
    let index = index.map_err(|error| unusable(&error.to_string()))?;
    let target = path.with_file_name(&*file.name);
    insert(&path, &target, track.init, &index).map_err(MediaError::reading)?;
    let entry = StreamTrack {
        index: index.len() as u64,
        ..entry(&file, &track, start, segments)
    };
    Ok((entry, (file, target)))
}

/// The entry of a track file without a segment index.
pub(crate) fn entry(file: &OutputFile, track: &Track, start: u64, segments: Vec<Segment>) -> StreamTrack {
    StreamTrack {
        name: file.name.to_string(),
        codec: track.codec.clone(),
        timescale: track.timescale,
        init: track.init,
        index: 0,
        start,
        segments,
    }
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
pub(crate) fn is_language(text: &str) -> bool {
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
