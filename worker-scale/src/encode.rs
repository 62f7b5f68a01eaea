//! Encodes a source into its renditions. One ffmpeg run decodes the source once and feeds every encoder.

use crate::{
    budget,
    codec::{self, Pass, Rate},
    job::{Encoded, Job, OnProgress, Rendition, Target},
    ladder::{Rung, ladder},
    parts,
    read_back::read_back,
    tracks::undecodable,
};
use std::{cmp::Reverse, sync::Arc};
use vidp_common::process::Limits;
use vidp_contract::FailureCode;
use vidp_worker::ffmpeg::{self, MediaError, process_limits};

/// Rounds of encoding at most. A rendition that is too large after the last round fails or is accepted.
const MAX_ROUNDS: usize = 4;
/// Limit of the file size per second of media (400 Mbit/s). It protects the disk and is far above any sensible encode.
const MAX_BYTES_PER_SECOND: f64 = 50e6;

/// Makes every rendition of the ladder, largest first. Each one is probed and complete.
///
/// An audio track that cannot be decoded is left out.
///
/// # Errors
/// `no_video_stream`; `unsupported_media` when the picture has a codec that is not accepted; `media_too_large` when the
/// renditions do not fit into the job's space; `damaged_media` when the source cannot be decoded to its end;
/// `media_too_long` when it cannot fit into `max_size_mb`.
pub async fn encode(job: &Job<'_>, on_progress: OnProgress) -> Result<Encoded, MediaError> {
    let refused = match job.encode(&on_progress).await {
        Err(error) if is_refusal(&error) => error,
        done => return done,
    };
    let undecodable = match job.video() {
        Ok(_) => undecodable(job).await?,
        Err(_) => Vec::new(),
    };
    if undecodable.is_empty() {
        return Err(refused);
    }
    tracing::info!(
        ?undecodable,
        "encoding again without audio tracks that cannot be decoded"
    );
    let mut probe = job.probe.clone();
    probe.audio.retain(|track| !undecodable.contains(&track.index));
    let encoded = Job {
        probe: &probe,
        ..*job
    }
    .encode(&on_progress)
    .await?;
    Ok(Encoded {
        undecodable,
        ..encoded
    })
}

/// True when a part of the source may be the reason, which the renditions can do without.
fn is_refusal(error: &MediaError) -> bool {
    let codes = [FailureCode::DamagedMedia, FailureCode::UnsupportedMedia];
    matches!(error, MediaError::Media { code, .. } if codes.contains(code))
}

impl Job<'_> {
    /// Makes the renditions of all rungs: those that are encoded, and then the one that may be a copy.
    async fn encode(&self, on_progress: &OnProgress) -> Result<Encoded, MediaError> {
        let (track, _) = self.video()?;
        let mut rungs = ladder(
            track.width,
            track.height,
            &self.options.renditions,
            self.options.codec,
        );
        // The files of all rungs fit into the space together, even if the encoder writes a lot.
        let file_size = self.space / rungs.len().max(1) as u64;
        let mut copy = None;
        if let Some(place) = rungs.iter().position(|rung| rung.full_size) {
            copy = self.copy_target(&rungs[place], file_size).await?;
            if copy.is_some() {
                rungs.remove(place);
            }
        }
        let is_alone = rungs.is_empty();
        let mut encoded = self.encode_rungs(rungs, file_size, on_progress).await?;
        if let Some(target) = copy {
            let quiet: OnProgress = Arc::new(|_, _| {});
            let report = if is_alone { on_progress } else { &quiet };
            match self.copy(&target, file_size, report).await? {
                Some((rendition, errors)) => {
                    encoded.renditions.push(rendition);
                    encoded.decode_errors = encoded.decode_errors.max(errors);
                }
                None => {
                    let other = self
                        .encode_rungs(vec![target.rung], file_size, on_progress)
                        .await?;
                    encoded.renditions.extend(other.renditions);
                    encoded.parts = encoded.parts.max(other.parts);
                    encoded.decode_errors = encoded.decode_errors.max(other.decode_errors);
                }
            }
        }
        let size = |rendition: &Rendition| rendition.rung.width.min(rendition.rung.height);
        encoded
            .renditions
            .sort_by_key(|rendition| Reverse(size(rendition)));
        encoded.is_copy = encoded.renditions.iter().all(|rendition| rendition.is_copy);
        Ok(encoded)
    }

    /// Encodes these rungs, and again those that are too large. The order of the renditions is undefined.
    async fn encode_rungs(
        &self,
        rungs: Vec<Rung>,
        file_size: u64,
        on_progress: &OnProgress,
    ) -> Result<Encoded, MediaError> {
        let mut encoded = Encoded {
            renditions: Vec::new(),
            undecodable: Vec::new(),
            is_copy: false,
            parts: 0,
            decode_errors: 0,
        };
        if rungs.is_empty() {
            return Ok(encoded);
        }
        let mut targets = rungs
            .into_iter()
            .map(|rung| self.first_target(rung))
            .collect::<Result<Vec<_>, _>>()?;
        // The targets of the round before, in the order of `targets`.
        let mut larger: Vec<Target> = Vec::new();
        for round in 1..=MAX_ROUNDS {
            let mut is_last = round == MAX_ROUNDS;
            let made = parts::make(self, &targets, file_size, on_progress).await?;
            let (errors, renditions) = match made {
                Some(made) => {
                    encoded.parts = made.parts;
                    (made.decode_errors, made.renditions)
                }
                None => {
                    let errors = match self.make(&targets, file_size, on_progress).await {
                        // The encoder cannot make a tiny picture even smaller.
                        Err(error) if round > 1 && is_refusal(&error) => {
                            (targets, is_last) = (std::mem::take(&mut larger), true);
                            self.make(&targets, file_size, on_progress).await?
                        }
                        made => made?,
                    };
                    (errors, read_back(self, &targets).await?)
                }
            };
            encoded.decode_errors = encoded.decode_errors.max(errors);
            larger.clear();
            let mut again = Vec::new();
            for (rendition, target) in renditions.into_iter().zip(targets) {
                let (size, limit) = (rendition.facts.size, budget::max_bytes(self.probe, self.options));
                if size > limit && !is_last {
                    larger.push(target.clone());
                    let may_copy = round == 1 && errors == 0 && self.is_intact(&target.rung).await?;
                    again.push(self.smaller_target(target, size, limit, may_copy));
                    continue;
                }
                encoded.renditions.push(if size > limit {
                    self.accept_large(rendition)?
                } else {
                    rendition
                });
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
        Ok(encoded)
    }

    /// Runs one round: makes all targets in one or two ffmpeg runs. Returns the number of decode errors.
    pub(crate) async fn make(
        &self,
        targets: &[Target],
        file_size: u64,
        on_progress: &OnProgress,
    ) -> Result<u64, MediaError> {
        let averages = targets
            .iter()
            .all(|target| matches!(target.rate, Rate::Average(_)));
        if averages && codec::has_two_passes(self.options.codec) {
            self.run(targets, Pass::First, file_size, on_progress, 0.0, 0.4)
                .await?;
            self.run(targets, Pass::Second, file_size, on_progress, 0.4, 0.6)
                .await
        } else {
            self.run(targets, Pass::Only, file_size, on_progress, 0.0, 1.0)
                .await
        }
    }

    /// Runs ffmpeg once, which may write `file_size` bytes to each file. The run covers `share` of the round's progress,
    /// beginning at `from`. Returns the number of decode errors.
    async fn run(
        &self,
        targets: &[Target],
        pass: Pass,
        file_size: u64,
        on_progress: &OnProgress,
        from: f64,
        share: f64,
    ) -> Result<u64, MediaError> {
        let seconds = self.probe.facts.duration;
        let limits = Limits {
            file_size: file_size.min((64 << 20) + (seconds * MAX_BYTES_PER_SECOND) as u64),
            ..process_limits(seconds)
        };
        let on_progress = on_progress.clone();
        let report = move |progressed: ffmpeg::Progressed| {
            let done = (progressed.time_seconds / seconds).min(1.0);
            on_progress(from + share * done, progressed.speed);
        };
        let args = self.args(targets, pass)?;
        tracing::debug!(?args, "ffmpeg");
        ffmpeg::run(
            &self.settings.tools,
            args,
            limits,
            &self.access(),
            self.cancel,
            report,
        )
        .await
        .map_err(MediaError::decoding)
    }
}
