//! Chooses the rates of each rendition, for the first round and after a round that made it too large.

use crate::{
    budget,
    codec::Rate,
    job::{Job, Rendition, Target},
    ladder::Rung,
};
use vidp_contract::FailureCode;
use vidp_worker::ffmpeg::MediaError;

impl Job<'_> {
    /// The target of a rung in the first round.
    ///
    /// # Errors
    /// `media_too_long` when `max_size_mb` cannot hold the media.
    pub(crate) fn first_target(&self, rung: Rung) -> Result<Target, MediaError> {
        if let Some(requested) = budget::requested_bytes(self.options) {
            // A tiny source may have fewer bytes than any rendition. Then the caller's limit alone counts.
            let budget = budget::split(
                self.probe,
                self.options,
                budget::max_bytes(self.probe, self.options),
            )
            .or_else(|| budget::split(self.probe, self.options, requested))
            .ok_or_else(|| self.cannot_fit())?;
            return Ok(Target {
                rung,
                rate: Rate::Average(budget.video),
                audio: budget.audio,
            });
        }
        // At the source's own size, a bitrate above the source's adds bytes but no quality.
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

    /// The next target for a rendition that has `size` bytes and may have `limit`. `may_copy` says that the source's picture is
    /// intact, and that no copy was tried.
    pub(crate) fn smaller_target(&self, target: Target, size: u64, limit: u64, may_copy: bool) -> Target {
        let copy = Rate::Copy { regular_keys: false };
        let (rate, audio) = match target.rate {
            // The source is small enough and has the right codec: copying it loses no quality.
            Rate::Quality { .. } if may_copy => (copy, target.audio),
            Rate::Quality { .. } | Rate::Copy { .. } => {
                match budget::split(self.probe, self.options, limit) {
                    Some(budget) => (Rate::Average(budget.video), budget.audio),
                    None => (Rate::Average(budget::MIN_VIDEO), budget::MIN_AUDIO),
                }
            }
            Rate::Average(bitrate) => {
                let share = limit as f64 / size as f64 * 0.95;
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

    /// Decides on a rendition that is too large after the last round.
    ///
    /// The caller's limit is strict. A rendition may exceed the source's size, which happens only to the smallest
    /// files, where the container has more bytes than the picture.
    pub(crate) fn accept_large(&self, rendition: Rendition) -> Result<Rendition, MediaError> {
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

    /// The error for media that `max_size_mb` cannot hold.
    ///
    /// The code is `media_too_long` because it is the stable code that names the cause: too many seconds for the bytes.
    fn cannot_fit(&self) -> MediaError {
        let seconds = self.probe.facts.duration;
        let limit = self.options.max_size_mb.unwrap_or(0.0);
        let required = budget::min_bytes(self.probe, self.options) as f64 / 1e6;
        MediaError::media(
            FailureCode::MediaTooLong,
            format!("{seconds:.0} s of media do not fit into {limit} MB; allow at least {required:.3} MB"),
        )
    }
}
