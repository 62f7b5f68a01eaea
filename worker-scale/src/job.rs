//! Types that the steps of the stage share: the job, its targets and its renditions.

use crate::{codec::Rate, config::Settings, ladder::Rung};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;
use vidp_contract::{FailureCode, MediaFacts, ScaleOptions, VideoTrack};
use vidp_worker::ffmpeg::{MediaError, Probe, VideoDetails};

/// One source to encode, with its options and the worker's settings.
pub struct Job<'a> {
    /// Programs, limits and preset.
    pub settings: &'a Settings,
    /// The downloaded source file.
    pub source: &'a Path,
    /// The result of [`vidp_worker::ffmpeg::probe`] for the source.
    pub probe: &'a Probe,
    /// Options of the task.
    pub options: &'a ScaleOptions,
    /// Folder that receives the renditions.
    pub folder: &'a Path,
    /// Stops the running ffmpeg process when it is cancelled.
    pub cancel: &'a CancellationToken,
}

/// A finished and verified rendition.
pub struct Rendition {
    /// The rung of the ladder that it fills.
    pub rung: Rung,
    /// Name of the output, for example `720p.mp4`.
    pub name: String,
    /// Path of the file.
    pub path: PathBuf,
    /// Facts that ffprobe reads from the file.
    pub facts: MediaFacts,
}

/// Progress callback: the share of the encoding that is done, 0 to 1, and the speed in seconds of media per second.
pub type OnProgress = Arc<dyn Fn(f64, f64) + Send + Sync>;

/// A rung with the rates at which to encode it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The rung of the ladder.
    pub(crate) rung: Rung,
    /// Rate of the video.
    pub(crate) rate: Rate,
    /// Bits per second of each audio track.
    pub(crate) audio: u64,
}

impl Job<'_> {
    /// The source's video stream.
    ///
    /// # Errors
    /// `no_video_stream` when the source has none.
    pub(crate) fn video(&self) -> Result<(&VideoTrack, &VideoDetails), MediaError> {
        let missing = || MediaError::media(FailureCode::NoVideoStream, "the file has no video stream");
        let track = self.probe.facts.video.as_ref().ok_or_else(missing)?;
        Ok((track, self.probe.video.as_ref().ok_or_else(missing)?))
    }

    /// Path of the output file for a rung.
    pub(crate) fn path(&self, rung: &Rung) -> PathBuf {
        self.folder.join(rung.file_name(self.options.codec))
    }
}
