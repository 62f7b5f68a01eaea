//! How one track is encoded: its channels, its bits and its gain. Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vidp_contract::AudioLayout;
use vidp_worker::ffmpeg::{AudioDetails, is_surround, limiter};

/// Sample rate of all tracks in Hz.
pub(crate) const RATE: u32 = 48_000;
/// Channels of 5.1.
pub(super) const SURROUND: u32 = 6;
/// Stereo tracks that need as many bits as one of 5.1.
pub(super) const SURROUND_WEIGHT: u64 = 3;
/// How one track is encoded.
pub(crate) struct Sound {
    pub(crate) channels: u32,
    /// Bits per second.
    pub(crate) bitrate: u64,
    /// ffmpeg's filter.
    pub(crate) filter: String,
}

impl Sound {
    /// The same track with a gain.
    pub(super) fn with(self, gain: &Gain) -> Sound {
        let filter = format!("{},{}", self.filter, gain.filter(self.channels));
        Sound { filter, ..self }
    }
}

/// Number of stereo tracks that need as many bits as `track` with this layout.
pub(crate) fn weight(track: &AudioDetails, layout: AudioLayout) -> u64 {
    match is_kept(track, layout) {
        true => SURROUND_WEIGHT,
        false => 1,
    }
}

/// True when a track stays surround sound.
pub(super) fn is_kept(track: &AudioDetails, layout: AudioLayout) -> bool {
    layout == AudioLayout::Source && is_surround(track)
}

/// The gain of each track whose loudness is changed, by the index of its stream.
pub type Gains = BTreeMap<u32, Gain>;

/// The change of one track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Decibels.
    pub(super) decibels: f64,
    /// Highest sample in decibels of full scale. A limiter lowers higher ones.
    pub(super) peak: f64,
    /// Integrated loudness before the change, in LUFS.
    pub(super) before: f64,
}

impl Gain {
    /// ffmpeg's filters for a track of `channels`: the gain, and a limiter for the peaks that it makes too high.
    pub(super) fn filter(&self, channels: u32) -> String {
        // Mono becomes 3 dB lower in each channel of stereo, before the limiter.
        let layout = if channels <= 2 { "stereo" } else { "5.1" };
        let gain = format!(
            "aformat=sample_fmts=fltp:channel_layouts={layout},volume={:.2}dB",
            self.decibels
        );
        format!(
            "{gain},{}",
            limiter(channels, 10_f64.powf(self.peak / 20.0), LIMIT)
        )
    }
}

/// Milliseconds in which the limiter of a gain reacts and recovers.
const LIMIT: &str = "attack=5:release=100";
