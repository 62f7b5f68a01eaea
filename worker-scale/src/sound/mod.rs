//! The sound of the renditions: channels, bits and loudness of each track.

mod gain;
mod meter;
pub(crate) mod track;

use crate::{
    budget::{MAX_TRACKS, MIN_AUDIO},
    job::{Encoded, Job},
};
use meter::{Level, Listened};
use std::collections::BTreeMap;
use track::{RATE, SURROUND, SURROUND_WEIGHT, Sound, is_kept};
use vidp_common::process::Access;
use vidp_contract::SoundReport;
use vidp_worker::ffmpeg::{AudioDetails, Input, MediaError, stereo_filter, surround_filter};

/// Seconds after the start of the file from which a track begins late. Less is the delay of an encoder.
const MIN_LATE_SECONDS: f64 = 0.05;
/// Containers of broadcasts.
const BROADCAST_CONTAINERS: &[&str] = &["mpegts", "mpeg"];

impl Job<'_> {
    /// How a track is encoded when a stereo track gets `bitrate` bits per second.
    pub(crate) fn sound(&self, track: &AudioDetails, bitrate: u64) -> Sound {
        let sound = self.mixed(track, bitrate);
        match self.gains.get(&track.index) {
            Some(gain) => sound.with(gain),
            None => sound,
        }
    }

    /// The same, with the loudness of the source.
    fn mixed(&self, track: &AudioDetails, bitrate: u64) -> Sound {
        let from_zero = self.is_filled(track);
        if !is_kept(track, self.options.audio_layout) {
            return Sound {
                channels: 2,
                bitrate,
                filter: stereo_filter(track, RATE, from_zero),
            };
        }
        let (least, most) = (MIN_AUDIO * SURROUND_WEIGHT, bitrate * SURROUND_WEIGHT);
        Sound {
            channels: SURROUND,
            bitrate: track.bitrate.unwrap_or(most).clamp(least.min(most), most),
            filter: surround_filter(track, RATE, from_zero),
        }
    }

    /// True when a track gets silence before its start, for players that ignore start times.
    ///
    /// A broadcast is not filled up: its layout may change, and ffmpeg would fill up again.
    fn is_filled(&self, track: &AudioDetails) -> bool {
        let container = self.probe.facts.container.as_str();
        track.start - self.probe.start > MIN_LATE_SECONDS && !BROADCAST_CONTAINERS.contains(&container)
    }

    /// Measures the sound of the smallest rendition, which all renditions share, by the index of the source's stream.
    ///
    /// # Errors
    /// A failure of the machine, or a cancellation.
    pub async fn measure_sound(&self, encoded: &Encoded) -> Result<BTreeMap<u32, SoundReport>, MediaError> {
        let mut reports = BTreeMap::new();
        let Some(rendition) = encoded.renditions.last() else {
            return Ok(reports);
        };
        let tracks = self.probe.audio.iter();
        let tracks = tracks.filter(|track| !encoded.undecodable.contains(&track.index));
        let tracks: Vec<_> = tracks.take(MAX_TRACKS).collect();
        if rendition.facts.audio.len() != tracks.len() {
            // A track without a packet is in no rendition, and the numbers of the others are unknown.
            return Ok(reports);
        }
        for (number, track) in tracks.into_iter().enumerate() {
            let channels = self.sound(track, 0).channels;
            let listened = Listened {
                input: Input::File(&rendition.path),
                access: Access::reading(&rendition.path),
                stream: format!("0:a:{number}"),
                filter: None,
                channels,
            };
            let level = self.level(listened).await?;
            let known = |value: fn(&Level) -> f64| level.as_ref().map(|level| tenth(value(level)));
            let report = SoundReport {
                channels,
                loudness: known(|level| level.integrated),
                loudness_range: known(|level| level.range),
                true_peak: known(|level| level.true_peak),
                loudness_before: self.gains.get(&track.index).map(|gain| tenth(gain.before)),
            };
            reports.insert(track.index, report);
        }
        Ok(reports)
    }
}

/// Rounds to a tenth, the precision of EBU Tech 3341.
fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
