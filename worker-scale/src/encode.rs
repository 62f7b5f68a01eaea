//! From a source to its renditions: one ffmpeg run decodes once and feeds every encoder.

use crate::{
    Settings, budget,
    codec::{self, Pass, Rate},
    graph::frame_rate,
    ladder::{Rung, ladder},
    verify::verify,
};
use futures_util::future::try_join_all;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;
use vidp_common::process::Limits;
use vidp_contract::{FailureCode, MediaFacts, ScaleOptions, VideoTrack};
use vidp_worker::ffmpeg::{self, Input, MediaError, Probe, VideoDetails, process_limits};

/// Runs in which a rendition may be made smaller before it is given up or kept as it is.
const ROUNDS: usize = 4;
/// Bytes a second of one rendition at most (400 Mbit/s): a bound for the disk, far above any sensible encode.
const MAX_BYTES_PER_SECOND: f64 = 50e6;

/// What is to be encoded, and with what.
pub struct Job<'a> {
    /// Programs, limits and preset.
    pub settings: &'a Settings,
    /// The downloaded file.
    pub source: &'a Path,
    /// What [`ffmpeg::probe`] said of it.
    pub probe: &'a Probe,
    /// What the caller asked for.
    pub options: &'a ScaleOptions,
    /// Where the renditions go.
    pub folder: &'a Path,
    /// Kills what runs.
    pub cancel: &'a CancellationToken,
}

/// A finished rendition, read back.
pub struct Rendition {
    /// What was to be made.
    pub rung: Rung,
    /// Name of the output, for example `720p.mp4`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What it turned out to be.
    pub facts: MediaFacts,
}

/// Is told the share of the encoding that is done, 0 to 1, and the speed in seconds of media per second.
pub type OnProgress = Arc<dyn Fn(f64, f64) + Send + Sync>;

/// One rendition with its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) rung: Rung,
    pub(crate) rate: Rate,
    /// Bits per second of each audio track.
    pub(crate) audio: u64,
}

/// Makes every rendition of the ladder, largest first, each probed and complete.
///
/// # Errors
/// `no_video_stream`; `damaged_media` when the source cannot be decoded to its end; `media_too_long` when it cannot
/// fit into `max_size_mb`.
pub async fn encode(job: &Job<'_>, on_progress: OnProgress) -> Result<Vec<Rendition>, MediaError> {
    let (track, _) = job.video()?;
    let rungs = ladder(track.width, track.height, &job.options.renditions);
    let mut targets = rungs
        .into_iter()
        .map(|rung| job.first_target(rung))
        .collect::<Result<Vec<_>, _>>()?;
    let mut finished = Vec::new();
    for round in 1..=ROUNDS {
        let renditions = job.make(&targets, &on_progress).await?;
        let mut again = Vec::new();
        for (rendition, target) in renditions.into_iter().zip(targets) {
            let size = rendition.facts.size;
            let most = budget::most_bytes(job.probe, &target.rung, job.options).filter(|most| size > *most);
            match most {
                Some(most) if round < ROUNDS => again.push(job.smaller(target, size, most)),
                Some(_) => finished.push(job.accept_large(rendition)?),
                None => finished.push(rendition),
            }
        }
        targets = again;
        if targets.is_empty() {
            break;
        }
        tracing::info!(
            round,
            again = targets.len(),
            "larger than allowed, encoding again"
        );
    }
    finished.sort_by_key(|rendition| std::cmp::Reverse(rendition.rung.width.min(rendition.rung.height)));
    Ok(finished)
}

impl Job<'_> {
    pub(crate) fn video(&self) -> Result<(&VideoTrack, &VideoDetails), MediaError> {
        let missing = || MediaError::media(FailureCode::NoVideoStream, "the file has no video to scale");
        let track = self.probe.facts.video.as_ref().ok_or_else(missing)?;
        Ok((track, self.probe.video.as_ref().ok_or_else(missing)?))
    }

    fn first_target(&self, rung: Rung) -> Result<Target, MediaError> {
        if self.options.max_size_mb.is_some() {
            let most = budget::most_bytes(self.probe, &rung, self.options).unwrap_or(u64::MAX);
            let budget = budget::split(self.probe, most).ok_or_else(|| self.cannot_fit())?;
            return Ok(Target {
                rung,
                rate: Rate::Average(budget.video),
                audio: budget.audio,
            });
        }
        // Above the source's own bitrate quality cannot grow at the same size, only bytes can.
        let ceiling = rung
            .full_size
            .then(|| budget::source_video_bitrate(self.probe) / 100 * 95);
        let crf = self.options.crf;
        Ok(Target {
            rung,
            rate: Rate::Quality { crf, ceiling },
            audio: budget::audio_bitrate(self.probe),
        })
    }

    /// The next try for a rendition of `size` bytes that may have `most`.
    fn smaller(&self, target: Target, size: u64, most: u64) -> Target {
        let (rate, audio) = match target.rate {
            // What is already small enough in the right codec is best left as it is.
            Rate::Quality { .. } if self.can_copy(&target.rung) => (Rate::Copy, target.audio),
            Rate::Quality { .. } | Rate::Copy => match budget::split(self.probe, most) {
                Some(budget) => (Rate::Average(budget.video), budget.audio),
                None => (Rate::Average(budget::MIN_VIDEO), budget::MIN_AUDIO),
            },
            Rate::Average(bitrate) => {
                let share = most as f64 / size as f64 * 0.95;
                let smaller = |bits: u64| (bits as f64 * share) as u64;
                (
                    Rate::Average(smaller(bitrate).max(1000)),
                    smaller(target.audio).max(budget::MIN_AUDIO),
                )
            }
        };
        Target {
            rung: target.rung,
            rate,
            audio,
        }
    }

    /// The source's video stream would do as this rendition.
    fn can_copy(&self, rung: &Rung) -> bool {
        let Ok((track, details)) = self.video() else {
            return false;
        };
        track.codec == codec::video_name(self.options.codec)
            && track.pixel_format == "yuv420p"
            && (details.width, details.height) == (rung.width, rung.height)
            && (track.width, track.height) == (rung.width, rung.height)
            && track.rotation == 0
            && !track.interlaced
            && !track.hdr
            && frame_rate(track) == track.fps
            // Containers with times for every frame.
            && ["mov", "matroska"].iter().any(|name| self.probe.facts.container.starts_with(name))
    }

    /// After the last round: the caller's bound is kept; the source's size is missed by the smallest files only,
    /// where the container weighs more than the picture.
    fn accept_large(&self, rendition: Rendition) -> Result<Rendition, MediaError> {
        let size = rendition.facts.size;
        if self.options.max_size_mb.is_some_and(|mb| size as f64 > mb * 1e6) {
            return Err(self.cannot_fit());
        }
        tracing::warn!(
            size,
            source = self.probe.facts.size,
            "a rendition is larger than its source"
        );
        Ok(rendition)
    }

    /// `media_too_long`: of the stable codes the one that tells the user what is wrong, too many seconds for the bytes.
    fn cannot_fit(&self) -> MediaError {
        let seconds = self.probe.facts.duration;
        let asked = self.options.max_size_mb.unwrap_or(0.0);
        let least = budget::least_bytes(self.probe) as f64 / 1e6;
        MediaError::media(
            FailureCode::MediaTooLong,
            format!("{seconds:.0} s of media do not fit into {asked} MB; allow {least:.3} MB or more"),
        )
    }

    /// One round: one or two ffmpeg runs over the source for all targets, then a look at what came out.
    async fn make(&self, targets: &[Target], on_progress: &OnProgress) -> Result<Vec<Rendition>, MediaError> {
        let averages = targets
            .iter()
            .all(|target| matches!(target.rate, Rate::Average(_)));
        if averages && codec::has_two_passes(self.options.codec) {
            self.run(targets, Pass::First, on_progress, 0.0, 0.4).await?;
            self.run(targets, Pass::Second, on_progress, 0.4, 0.6).await?;
        } else {
            self.run(targets, Pass::Only, on_progress, 0.0, 1.0).await?;
        }
        try_join_all(targets.iter().map(|target| self.read_back(target))).await
    }

    async fn run(
        &self,
        targets: &[Target],
        pass: Pass,
        on_progress: &OnProgress,
        from: f64,
        share: f64,
    ) -> Result<(), MediaError> {
        let seconds = self.probe.facts.duration;
        let limits = Limits {
            file_size: (64 << 20) + (seconds * MAX_BYTES_PER_SECOND) as u64,
            ..process_limits(seconds)
        };
        let on_progress = on_progress.clone();
        let report = move |progressed: ffmpeg::Progressed| {
            let done = (progressed.time_seconds / seconds).min(1.0);
            on_progress(from + share * done, progressed.speed);
        };
        let args = self.args(targets, pass)?;
        tracing::debug!(?args, "ffmpeg");
        ffmpeg::run(&self.settings.tools, args, limits, self.cancel, report)
            .await
            .map_err(MediaError::decoding)
    }

    pub(crate) fn path(&self, rung: &Rung) -> PathBuf {
        self.folder.join(rung.file_name(self.options.codec))
    }

    async fn read_back(&self, target: &Target) -> Result<Rendition, MediaError> {
        let path = self.path(&target.rung);
        let tools = &self.settings.tools;
        let made = ffmpeg::probe(tools, Input::File(&path), &self.settings.limits, self.cancel).await;
        let made = match made {
            // Nothing but a header: ffmpeg found nothing to encode.
            Err(MediaError::Media { .. }) => {
                return Err(MediaError::media(
                    FailureCode::DamagedMedia,
                    "the video cannot be decoded",
                ));
            }
            made => made?,
        };
        verify(self, &target.rung, &made).await?;
        Ok(Rendition {
            rung: target.rung.clone(),
            name: target.rung.file_name(self.options.codec),
            path,
            facts: made.facts,
        })
    }
}
