//! Finds the file of a stream that a player asks for.

use crate::{
    handlers::outputs,
    http::problem::{Code, Problem},
    playback::{
        CAPTIONS, Captions, GROWING, Growing, MANIFEST, MASTER, NO_CAPTIONS, STORYBOARD, Text,
        has_closed_captions, manifest, master, media,
    },
    state::Playing,
};
use std::sync::Arc;
use vidp_contract::{Output, OutputFile, Stage, StreamSet};
use vidp_record::job::Job;

/// Media type of manifests of DASH: ISO/IEC 23009-1, annex C.
const DASH: &str = "application/dash+xml";
/// Captions without a cue, and their media type.
const EMPTY_CAPTIONS: &str = "WEBVTT\n";
const VTT: &str = "text/vtt; charset=utf-8";
/// `Cache-Control` of an output, which never changes, and of a piece of a growing stream: a retry of the job makes other pieces with the
/// same names.
const STAYS: &str = "private, max-age=86400, immutable";
const MAY_CHANGE: &str = "private, max-age=60";

/// A file of a stream.
pub(super) enum File {
    /// A playlist or another text of the API.
    Text(Text),
    /// An object of the store and its `Cache-Control`.
    Object(Output, &'static str),
    /// A small object that players ask for many times. The API sends it, and another address each time would be another file for a browser.
    Small(Output, &'static str),
}

/// The file with this name. The job in memory may be some seconds older than the answer of another replica: before an unknown name is
/// refused, a job that was running is read again.
pub(super) async fn find(playing: &Playing, job: &Arc<Job>, name: &str) -> Result<File, Problem> {
    let found = look_up(playing, job, name).await;
    let is_running = job
        .stages
        .get(&Stage::Scale)
        .is_some_and(|scale| !scale.status.is_terminal());
    match found {
        Err(problem) if is_running && problem.code() == Code::NotFound => {
            match playing.library.job(&playing.db, job.id, true).await? {
                Some(now) if now.rev != job.rev => look_up(playing, &now, name).await,
                _ => Err(problem),
            }
        }
        found => found,
    }
}

/// The file with this name. Names that begin with [`GROWING`] belong to the growing stream, also after the end of the stage. The others
/// belong to the complete stream, and until then to the growing one.
async fn look_up(playing: &Playing, job: &Job, name: &str) -> Result<File, Problem> {
    let found = match outputs::find(job, Stage::Scale.as_str(), &OutputFile::STREAM.name) {
        Ok(index) if !name.starts_with(GROWING) => {
            let set = playing.library.index(&playing.store, index).await?;
            of_complete(job, &set, name)
        }
        index => match playing.library.growing(&playing.store, job).await? {
            Some(_) if name == MANIFEST => return Err(no_manifest()),
            Some((stream, are_all)) => of_growing(job, &stream, are_all, name),
            None => return Err(index.err().unwrap_or_else(missing)),
        },
    };
    found.ok_or_else(missing)
}

/// The file of a complete stream.
fn of_complete(job: &Job, set: &StreamSet, name: &str) -> Option<File> {
    // Players ask for tracks most often, and these need no report.
    if set.tracks().any(|track| track.name == name) {
        return output(job, Stage::Scale, name);
    }
    let captions = Captions::of(job);
    let text = match name {
        MASTER => Text::hls(master(set, &captions, has_closed_captions(job))),
        MANIFEST => Text::new(DASH, manifest(set, &captions)),
        CAPTIONS => return output(job, Stage::Subtitle, name),
        STORYBOARD => return output(job, Stage::Scale, name),
        _ if captions.iter().any(|captions| captions.file == name) => {
            return output(job, Stage::Scale, name);
        }
        _ => Text::hls(media(set, &captions, name)?),
    };
    Some(File::Text(text))
}

/// The file of a growing stream. `are_all` says that its parts are all that there are.
fn of_growing(job: &Job, stream: &Growing, are_all: bool, name: &str) -> Option<File> {
    let scale = job.stages.get(&Stage::Scale)?;
    let is_complete = are_all && scale.status.is_terminal();
    let captions = Captions::expected(job);
    let text = match name {
        CAPTIONS => {
            let output = outputs::find(job, Stage::Subtitle.as_str(), name).ok()?;
            return Some(File::Small(output.clone(), MAY_CHANGE));
        }
        NO_CAPTIONS => Some(Text::new(VTT, EMPTY_CAPTIONS.to_owned())),
        MASTER => stream.master(captions.as_ref(), is_complete).map(Text::hls),
        _ => stream.media(captions.as_ref(), name, is_complete),
    };
    let piece = || {
        stream
            .piece(name)
            .map(|piece| File::Object(piece.clone(), MAY_CHANGE))
    };
    text.map(File::Text).or_else(piece)
}

/// The output with this name.
fn output(job: &Job, stage: Stage, name: &str) -> Option<File> {
    let output = outputs::find(job, stage.as_str(), name).ok()?;
    Some(File::Object(output.clone(), STAYS))
}

fn missing() -> Problem {
    Problem::new(Code::NotFound, "the stream has no file with this name")
}

fn no_manifest() -> Problem {
    Problem::new(
        Code::NotFound,
        "only a complete stream has a manifest of DASH; play this one by HLS",
    )
}
