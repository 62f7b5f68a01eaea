//! Handler of the stage: runs a task and stores its outputs.

use crate::{
    config::Settings,
    encode::encode,
    grid::Grid,
    job::{Job, Rendition},
    parts, preview,
    sound::track::Gains,
    source::{self, describe},
    stream,
};
use futures_util::future::try_join_all;
use serde::Serialize;
use std::{path::Path, sync::Arc};
use tokio::sync::OnceCell;
use vidp_contract::{
    FailureCode, Made, MediaFacts, OutputFile, RenditionReport, ScaleReport, SkipCode, StreamImages,
    StreamSet, Work,
};
use vidp_worker::{Attempt, TaskError};

/// Progress, 0 to 1, when the source has been fetched.
const FETCHED: f64 = 0.1;
/// Progress, 0 to 1, when all renditions are encoded.
const ENCODED: f64 = 0.9;

/// The work that the handler has done.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// The whole task.
    Whole(Box<ScaleReport>),
    /// An offered part, which is in the store.
    Part {},
}

/// Makes the renditions, poster and storyboard of the task's video and stores them. For an offer it makes one part.
///
/// # Errors
/// Those of [`encode()`], of the previews and of the object store. A file with sound alone is skipped.
pub async fn scale(attempt: Arc<Attempt>, settings: Arc<Settings>) -> Result<Report, TaskError> {
    match &attempt.part {
        Some(offer) => {
            parts::help(&attempt, &settings, offer).await?;
            Ok(Report::Part {})
        }
        None => Ok(Report::Whole(Box::new(whole(attempt, &settings).await?))),
    }
}

async fn whole(attempt: Arc<Attempt>, settings: &Settings) -> Result<ScaleReport, TaskError> {
    let Work::Scale(options) = &attempt.task.work else {
        return Err(TaskError::fail(
            FailureCode::Internal,
            "the task is not a scale task",
        ));
    };
    let file = attempt.fetch_source().await?;
    attempt.progress("probe", FETCHED, None);
    let probe = describe(settings, &file, &attempt.cancel).await?;
    if probe.facts.video.is_none() {
        return Err(TaskError::Skip(SkipCode::NoVideo));
    }

    let mut job = Job {
        settings,
        source: &file,
        probe: &probe,
        options,
        folder: &attempt.scratch,
        // The track files of a stream have as many bytes again, and a copy of one needs space too.
        space: settings.space(&attempt.scratch, probe.facts.size) / if options.stream { 3 } else { 1 },
        gains: &Gains::new(),
        packets: &OnceCell::new(),
        cancel: &attempt.cancel,
        attempt: Some(&attempt),
    };
    if options.loudness.is_some() {
        attempt.progress("measure", FETCHED, None);
    }
    let gains = job.gains().await?;
    job.gains = &gains;
    attempt.progress("encode", FETCHED, None);
    let reporter = attempt.clone();
    let on_progress = move |share: f64, speed: f64| {
        reporter.progress("encode", FETCHED + (ENCODED - FETCHED) * share, Some(speed));
    };
    let encoded = encode(&job, Arc::new(on_progress)).await?;
    let renditions = &encoded.renditions;

    let mut stream = None;
    if options.stream {
        attempt.progress("package", ENCODED, None);
        stream = job.stream(&encoded).await?;
    }
    let subtitles = job.subtitles().await?;
    let captions = subtitles.iter().filter_map(|track| track.made.as_ref().ok());
    attempt.progress("store", ENCODED, None);
    let tracks = stream.iter().flat_map(|stream| &stream.files);
    let files = renditions.iter().map(|r| (&r.file, &r.path));
    let files = files
        .chain(tracks.map(|(file, path)| (file, path)))
        .chain(captions.clone().map(|captions| (&captions.file, &captions.path)));
    let store = files.map(|(file, path)| attempt.put(file, path));
    let measure = async { Ok::<_, TaskError>(job.measure_sound(&encoded).await?) };
    let (_, images, sounds) = tokio::try_join!(
        try_join_all(store),
        previews(&attempt, settings, renditions),
        measure
    )?;
    if let Some(stream) = stream {
        store_index(&attempt, &StreamSet { images, ..stream.set }).await?;
    }
    Ok(ScaleReport {
        renditions: renditions
            .iter()
            .map(|rendition| rendition_report(rendition, &probe.facts))
            .collect(),
        streams: source::report(&probe, &encoded, options.codec, sounds, &subtitles),
        captions: captions.map(|captions| captions.report.clone()).collect(),
        decode_errors: encoded.decode_errors,
        media: probe.facts,
    })
}

/// Stores the index of a stream.
async fn store_index(attempt: &Attempt, set: &StreamSet) -> Result<(), TaskError> {
    let path = attempt.scratch.join(&*OutputFile::STREAM.name);
    let text = serde_json::to_vec(set).map_err(std::io::Error::other)?;
    tokio::fs::write(&path, text).await?;
    attempt.put(&OutputFile::STREAM, &path).await.map(drop)
}

/// Makes and stores the poster of the largest rendition and the storyboard of the smallest. Returns the grid of the storyboard.
async fn previews(
    attempt: &Attempt,
    settings: &Settings,
    renditions: &[Rendition],
) -> Result<Option<StreamImages>, TaskError> {
    let (Some(largest), Some(smallest)) = (renditions.first(), renditions.last()) else {
        return Ok(None);
    };
    let folder: &Path = &attempt.scratch;
    let poster = async {
        let image = preview::poster(settings, largest, folder, &attempt.cancel).await?;
        attempt.put(&OutputFile::POSTER, &image).await
    };
    let storyboard = async {
        let (image, vtt) = preview::storyboard(settings, smallest, folder, &attempt.cancel).await?;
        attempt.put(&OutputFile::STORYBOARD_TIMES, &vtt).await?;
        attempt.put(&OutputFile::STORYBOARD, &image).await
    };
    let (_, image) = tokio::try_join!(poster, storyboard)?;
    let grid = Grid::new(smallest.picture_end, (smallest.rung.width, smallest.rung.height));
    Ok(Some(stream::images(&grid, image.size)))
}

fn rendition_report(rendition: &Rendition, source: &MediaFacts) -> RenditionReport {
    let facts = &rendition.facts;
    RenditionReport {
        name: rendition.file.name.to_string(),
        size: facts.size,
        ratio: facts.size as f64 / source.size.max(1) as f64,
        width: rendition.rung.width,
        height: rendition.rung.height,
        video_codec: facts
            .video
            .as_ref()
            .map_or_else(String::new, |video| video.codec.clone()),
        audio_codec: facts.audio.first().map(|track| track.codec.clone()),
        bitrate: facts.bitrate,
        duration: facts.duration,
        frames: rendition.frames,
        made: match rendition.is_copy {
            true => Made::Copied,
            false => Made::Encoded,
        },
    }
}
