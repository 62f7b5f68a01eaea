//! Types that the steps of the stage share: the job, its targets and its renditions.

use crate::{codec::Rate, config::Settings, ladder::Rung, sound::track::Gains};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use vidp_common::process::Access;
use vidp_contract::{FailureCode, MediaFacts, OutputFile, ScaleOptions, VideoTrack};
use vidp_worker::{
    Attempt,
    ffmpeg::{self, Input, MediaError, Packets, Probe, VideoDetails},
};

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
    /// Bytes that the renditions may have together.
    pub space: u64,
    /// The gains of audio tracks whose loudness is changed, from [`Job::gains`].
    pub gains: &'a Gains,
    /// The packets of the picture, which are listed once; begins empty.
    pub packets: &'a OnceCell<Option<Packets>>,
    /// Stops the running ffmpeg process when it is cancelled.
    pub cancel: &'a CancellationToken,
    /// Stores finished parts of a long film, so that the next attempt can use them. `None` stores none.
    pub attempt: Option<&'a Attempt>,
}

/// A finished and verified rendition.
pub struct Rendition {
    /// The rung of the ladder that it fills.
    pub rung: Rung,
    /// The output, for example `720p.mp4`.
    pub file: OutputFile,
    /// Path of the file.
    pub path: PathBuf,
    /// Facts that ffprobe reads from the file.
    pub facts: MediaFacts,
    /// Seconds from the start of the file to the end of its picture. The sound may be longer.
    pub picture_end: f64,
    /// Number of pictures, if the container states it.
    pub frames: Option<u64>,
    /// True when the picture is that of the source, unchanged.
    pub is_copy: bool,
    /// True when the picture has a key frame every 2 s. A copied picture has those of its source, and SVT-AV1 counts
    /// frames instead of seconds.
    pub regular_keys: bool,
}

/// The finished renditions of a source.
pub struct Encoded {
    /// Every rendition of the ladder, largest first.
    pub renditions: Vec<Rendition>,
    /// Indices of audio streams that cannot be decoded; the renditions lack them.
    pub undecodable: Vec<u32>,
    /// True when every rendition has the picture of the source unchanged.
    pub is_copy: bool,
    /// Number of parts in which the film was encoded; 0 for one piece.
    pub parts: usize,
    /// Number of packets and frames of the source that ffmpeg skipped or repaired.
    pub decode_errors: u64,
}

/// Progress callback: the share of the encoding that is done, 0 to 1, and the speed in seconds of media per second.
pub type OnProgress = Arc<dyn Fn(f64, f64) + Send + Sync>;

/// A rung with the rates at which to encode it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// The rung of the ladder.
    pub(crate) rung: Rung,
    /// Rate of the video.
    pub(crate) rate: Rate,
    /// Bits per second of each stereo track.
    pub(crate) audio: u64,
}

impl Job<'_> {
    /// The source's video stream.
    ///
    /// # Errors
    /// `no_video_stream` when the source has none; the fault of one that cannot be decoded.
    pub(crate) fn video(&self) -> Result<(&VideoTrack, &VideoDetails), MediaError> {
        let missing = || MediaError::media(FailureCode::NoVideoStream, "the file has no video stream");
        if let Some((code, detail)) = &self.probe.video_fault {
            return Err(MediaError::media(*code, detail));
        }
        let track = self.probe.facts.video.as_ref().ok_or_else(missing)?;
        Ok((track, self.probe.video.as_ref().ok_or_else(missing)?))
    }

    /// The packets of the source's picture; `None` when they do not say which pictures there are. The first call reads the file.
    ///
    /// # Errors
    /// As [`Job::video`]; a failure of the machine, or a cancellation.
    pub(crate) async fn packets(&self) -> Result<Option<&Packets>, MediaError> {
        let (_, details) = self.video()?;
        let (tools, input) = (&self.settings.tools, Input::File(self.source));
        let list = || ffmpeg::packets(tools, input, details.index, self.cancel);
        Ok(self.packets.get_or_try_init(list).await?.as_ref())
    }

    /// A fact about the source that an earlier delivery of the task has stored as `name`; otherwise the one that `find` finds, which
    /// is stored.
    ///
    /// The name must say everything on which the fact depends.
    pub(crate) async fn stored<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        find: impl Future<Output = Result<T, MediaError>>,
    ) -> Result<T, MediaError> {
        let Some(attempt) = self.attempt else {
            return find.await;
        };
        if let Some(fact) = attempt.fetch_part(name, &[]).await {
            return Ok(fact);
        }
        let fact = find.await?;
        attempt.store_part(name, &[], &fact).await;
        Ok(fact)
    }

    /// Files that an encode needs: the source, and the folder for renditions and the statistics of two passes.
    pub(crate) fn access(&self) -> Access {
        Access::reading(self.source).and_writing(self.folder)
    }

    /// Path of the output file for a rung.
    pub(crate) fn path(&self, rung: &Rung) -> PathBuf {
        self.folder.join(&*rung.file(self.options.codec).name)
    }
}
