//! Encodes a source into its renditions. One ffmpeg run decodes the source once and feeds every encoder.

use crate::{
    budget,
    codec::{self, Pass, Rate},
    job::{Job, OnProgress, Rendition, Target},
    ladder::ladder,
    verify::verify,
};
use futures_util::future::try_join_all;
use std::cmp::Reverse;
use vidp_common::process::Limits;
use vidp_contract::FailureCode;
use vidp_worker::ffmpeg::{self, Input, MediaError, process_limits};

/// Rounds of encoding at most. A rendition that is too large after the last round fails or is accepted.
const MAX_ROUNDS: usize = 4;
/// Limit of the file size per second of media (400 Mbit/s). It protects the disk and is far above any sensible encode.
const MAX_BYTES_PER_SECOND: f64 = 50e6;

/// Makes every rendition of the ladder, largest first. Each one is probed and complete.
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
    for round in 1..=MAX_ROUNDS {
        let renditions = job.make(&targets, &on_progress).await?;
        let mut again = Vec::new();
        for (rendition, target) in renditions.into_iter().zip(targets) {
            let size = rendition.facts.size;
            let exceeded =
                budget::max_bytes(job.probe, &target.rung, job.options).filter(|limit| size > *limit);
            match exceeded {
                Some(limit) if round < MAX_ROUNDS => again.push(job.smaller_target(target, size, limit)),
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
            "renditions exceed their size limit; encoding them again"
        );
    }
    finished.sort_by_key(|rendition| Reverse(rendition.rung.width.min(rendition.rung.height)));
    Ok(finished)
}

impl Job<'_> {
    /// Runs one round: encodes all targets in one or two ffmpeg runs, then probes and verifies each file.
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

    /// Runs ffmpeg once. The run covers `share` of the round's progress, beginning at `from`.
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

    /// Probes the file of a target and verifies it against the source.
    async fn read_back(&self, target: &Target) -> Result<Rendition, MediaError> {
        let path = self.path(&target.rung);
        let tools = &self.settings.tools;
        let probed = ffmpeg::probe(tools, Input::File(&path), &self.settings.limits, self.cancel).await;
        let made = match probed {
            // The file has a header only, because ffmpeg could decode nothing.
            Err(MediaError::Media { .. }) => {
                return Err(MediaError::media(
                    FailureCode::DamagedMedia,
                    "the video cannot be decoded",
                ));
            }
            probed => probed?,
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
