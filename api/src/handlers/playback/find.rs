//! Finds the file of a stream that a player asks for.

use crate::{
    handlers::outputs,
    http::problem::{Code, Problem},
    playback::{
        CAPTIONS, Captions, GROWING, Growing, MANIFEST, MASTER, NO_CAPTIONS, STORYBOARD, manifest, master,
        media,
    },
    state::Playing,
};
use vidp_contract::{Output, OutputFile, Stage, StreamSet};
use vidp_record::job::Job;

/// Media types of playlists: RFC 8216, section 10, and ISO/IEC 23009-1, annex C.
const HLS: &str = "application/vnd.apple.mpegurl";
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
    /// The media type and the text.
    Text(&'static str, String),
    /// An object of the store and its `Cache-Control`.
    Object(Output, &'static str),
}

/// The file with this name. Names that begin with [`GROWING`] belong to the growing stream, also after the end of the stage. The others
/// belong to the complete stream, and until then to the growing one.
pub(super) async fn find(playing: &Playing, job: &Job, name: &str) -> Result<File, Problem> {
    let found = match outputs::find(job, Stage::Scale.as_str(), &OutputFile::STREAM.name) {
        Ok(index) if !name.starts_with(GROWING) => {
            let set = playing.library.index(&playing.store, index).await?;
            of_complete(job, &set, name)
        }
        index => match playing.library.growing(&playing.store, job).await? {
            Some(_) if name == MANIFEST => return Err(no_manifest()),
            Some(stream) => of_growing(job, &stream, name),
            None => return Err(index.err().unwrap_or_else(missing)),
        },
    };
    found.ok_or_else(missing)
}

/// The file of a complete stream.
fn of_complete(job: &Job, set: &StreamSet, name: &str) -> Option<File> {
    let captions = Captions::of(job);
    match name {
        MASTER => Some(File::Text(HLS, master(set, captions.as_ref()))),
        MANIFEST => Some(File::Text(DASH, manifest(set, captions.as_ref()))),
        CAPTIONS => output(job, Stage::Subtitle, name),
        STORYBOARD => output(job, Stage::Scale, name),
        _ if set.tracks().any(|track| track.name == name) => output(job, Stage::Scale, name),
        _ => media(set, captions.as_ref(), name).map(|text| File::Text(HLS, text)),
    }
}

/// The file of a growing stream.
fn of_growing(job: &Job, stream: &Growing, name: &str) -> Option<File> {
    let scale = job.stages.get(&Stage::Scale)?;
    let is_complete = scale.status.is_terminal();
    let captions = Captions::expected(job);
    let text = match name {
        CAPTIONS => return output(job, Stage::Subtitle, name),
        NO_CAPTIONS => return Some(File::Text(VTT, EMPTY_CAPTIONS.to_owned())),
        MASTER => stream.master(captions.as_ref(), is_complete),
        _ => stream.media(captions.as_ref(), name, is_complete),
    };
    let piece = || {
        stream
            .piece(name)
            .map(|piece| File::Object(piece.clone(), MAY_CHANGE))
    };
    text.map(|text| File::Text(HLS, text)).or_else(piece)
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
