//! Describes the source, before the encode and in the report.

use crate::{budget::MAX_TRACKS, captions::Subtitles, config::Settings, job::Encoded};
use std::{collections::BTreeMap, path::Path};
use tokio_util::sync::CancellationToken;
use vidp_contract::{Codec, DropReason, SoundReport, StreamFate, StreamKind, StreamReport};
use vidp_worker::ffmpeg::{self, FirstFrames, Input, MediaError, Probe, SourceStream};

/// Codecs without interlaced frames.
const PROGRESSIVE_CODECS: [&str; 4] = ["vp8", "vp9", "av1", "hevc"];
/// Codecs whose frames may have closed captions.
const CAPTIONED_CODECS: [&str; 3] = ["h264", "hevc", "mpeg2video"];
/// ffprobe's name of closed captions.
const CLOSED_CAPTIONS: &str = "eia_608";

/// Probes the source. The first frames say whether it has closed captions, and the order of fields when the header does not state it.
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
    let (Some(track), Some(details)) = (&mut probe.facts.video, &probe.video) else {
        return Ok(probe);
    };
    let codec = track.codec.as_str();
    let needs_order = details.field_order.is_none() && !PROGRESSIVE_CODECS.contains(&codec);
    if !needs_order && !CAPTIONED_CODECS.contains(&codec) {
        return Ok(probe);
    }
    let first = match ffmpeg::first_frames(&settings.tools, input, details.index, cancel).await {
        Err(error) if !needs_order && !cancel.is_cancelled() => {
            tracing::debug!("the first frames cannot be read: {error}");
            FirstFrames::default()
        }
        first => first?,
    };
    if needs_order {
        track.interlaced = first.interlaced;
    }
    if first.captions {
        let chapters = probe
            .listed
            .iter()
            .position(|stream| stream.kind == StreamKind::Chapters);
        let captions = SourceStream {
            index: Some(details.index),
            kind: StreamKind::Captions,
            codec: CLOSED_CAPTIONS.to_owned(),
            language: None,
            forced: false,
            hearing_impaired: false,
            obstacle: None,
        };
        probe
            .listed
            .insert(chapters.unwrap_or(probe.listed.len()), captions);
    }
    Ok(probe)
}

/// The fate of each stream of the source in renditions with this codec. `sounds` has the sound of each audio stream that the renditions
/// have, by its index; `subtitles` has the text subtitles.
pub fn report(
    probe: &Probe,
    encoded: &Encoded,
    codec: Codec,
    mut sounds: BTreeMap<u32, SoundReport>,
    subtitles: &[Subtitles],
) -> Vec<StreamReport> {
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
            (StreamKind::Subtitle, None, Some(index)) => {
                let track = subtitles.iter().find(|track| track.index == index);
                track.and_then(|track| track.made.as_ref().err().copied())
            }
            // x264 writes the captions of its frames; the other encoders do not.
            (StreamKind::Captions, None, _) if codec != Codec::H264 && !encoded.is_copy => {
                Some(DropReason::NotConverted)
            }
            _ => None,
        };
        let fate = match (reason, stream.kind) {
            (Some(_), _) => StreamFate::Dropped,
            (None, StreamKind::Captions) => StreamFate::Kept,
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
