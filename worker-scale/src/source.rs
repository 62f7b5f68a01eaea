//! Describes the source, before the encode and in the report.

use crate::{budget::MAX_TRACKS, config::Settings, job::Encoded};
use std::{collections::BTreeMap, path::Path};
use tokio_util::sync::CancellationToken;
use vidp_contract::{DropReason, SoundReport, StreamFate, StreamKind, StreamReport};
use vidp_worker::ffmpeg::{self, Input, MediaError, Probe};

/// Codecs without interlaced frames.
const PROGRESSIVE_CODECS: [&str; 4] = ["vp8", "vp9", "av1", "hevc"];

/// Probes the source. When the header does not state the order of fields, the first frames decide.
///
/// # Errors
/// Those of [`ffmpeg::probe`].
pub async fn describe(
    settings: &Settings,
    source: &Path,
    cancel: &CancellationToken,
) -> Result<Probe, MediaError> {
    let input = Input::File(source);
    let mut probe = ffmpeg::probe(&settings.tools, input, &settings.limits, cancel).await?;
    if let (Some(track), Some(details)) = (&mut probe.facts.video, &probe.video)
        && details.field_order.is_none()
        && !PROGRESSIVE_CODECS.contains(&track.codec.as_str())
    {
        track.interlaced = ffmpeg::is_interlaced(&settings.tools, input, details.index, cancel).await?;
    }
    Ok(probe)
}

/// The fate of each stream of the source. `sounds` has the sound of each audio stream that the renditions have, by its index.
pub fn report(probe: &Probe, encoded: &Encoded, mut sounds: BTreeMap<u32, SoundReport>) -> Vec<StreamReport> {
    let used: Vec<u32> = probe.audio.iter().map(|track| track.index).collect();
    let position = |index: u32| {
        let kept = used.iter().filter(|other| !encoded.undecodable.contains(other));
        kept.take(MAX_TRACKS).position(|other| *other == index)
    };
    let listed = probe.listed.iter().map(|stream| {
        let reason = match (stream.kind, stream.obstacle, stream.index) {
            (_, Some(obstacle), _) => Some(obstacle),
            (StreamKind::Audio, None, Some(index)) if encoded.undecodable.contains(&index) => {
                Some(DropReason::Undecodable)
            }
            (StreamKind::Audio, None, Some(index)) if position(index).is_none() => Some(DropReason::TooMany),
            _ => None,
        };
        let fate = match (reason, stream.kind) {
            (Some(_), _) => StreamFate::Dropped,
            (None, StreamKind::Video) if encoded.is_copy => StreamFate::Kept,
            (None, _) => StreamFate::Converted,
        };
        StreamReport {
            index: stream.index,
            kind: stream.kind,
            codec: stream.codec.clone(),
            language: stream.language.clone(),
            fate,
            reason,
            sound: stream.index.and_then(|index| sounds.remove(&index)),
        }
    });
    listed.collect()
}
