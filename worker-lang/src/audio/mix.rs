//! Mixes the channels of a track to one.

use super::{chunk::CHUNK, decoder::Sound};

/// Share of the channels' power below which their sum has lost its content: they cancel each other.
const LOST_SHARE: f32 = 0.3;
/// Share from which a sum that was lost is used again.
const FOUND_SHARE: f32 = 0.4;
/// Share of the channels' power by which channels differ at least that are not the same sound.
const DISTINCT_SHARE: f32 = 1e-3;
/// Power of a chunk below which differences are noise: samples of -90 dB.
const SILENT_POWER: f32 = 1e-9 * CHUNK as f32;
/// Part of the measured powers that remains after a chunk, which averages over about 0.3 s.
const MEMORY: f32 = 0.9;

/// Channels that are listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ear {
    /// All channels, mixed.
    Mix,
    /// The channel with this number, from 0.
    Channel(usize),
}

/// Mixer of the consecutive sound of one track.
///
/// All channels have the same weight, and the sum of independent channels keeps their power. Where the channels cancel
/// each other, as when one microphone is connected with opposite polarity, the loudest channel is used alone.
pub(crate) struct Mixer {
    ear: Ear,
    /// Power of each channel.
    powers: Vec<f32>,
    /// Power of the plain sum.
    sum: f32,
    /// The channel that is used alone.
    solo: Option<usize>,
    /// Weights of the channels in the last chunk.
    weights: Vec<f32>,
    distinct: bool,
}

impl Mixer {
    /// A mixer at the beginning of a track.
    pub(crate) fn new(ear: Ear) -> Self {
        Mixer {
            ear,
            powers: Vec::new(),
            sum: 0.0,
            solo: None,
            weights: Vec::new(),
            distinct: false,
        }
    }

    /// True when the channels differed until now, so that one of them may hold what the mix does not.
    pub(crate) fn distinct(&self) -> bool {
        self.distinct
    }

    /// The sound as one channel. Sound consists of whole chunks, except the last of the track.
    pub(crate) fn mix(&mut self, sound: Sound) -> Vec<f32> {
        let channels = sound.channels;
        match self.ear {
            Ear::Channel(number) => channel(&sound, number),
            Ear::Mix if channels < 2 => sound.samples,
            Ear::Mix => {
                let mut mixed = Vec::with_capacity(sound.samples.len() / channels);
                for chunk in sound.samples.chunks(CHUNK * channels) {
                    self.mix_chunk(chunk, channels, &mut mixed);
                }
                mixed
            }
        }
    }

    fn mix_chunk(&mut self, chunk: &[f32], channels: usize, mixed: &mut Vec<f32>) {
        self.measure(chunk, channels);
        let weights: Vec<f32> = match self.solo {
            Some(solo) => (0..channels).map(|k| f32::from(u8::from(k == solo))).collect(),
            None => vec![(channels as f32).sqrt().recip(); channels],
        };
        if self.weights.len() != channels {
            self.weights.clone_from(&weights);
        }
        let frames = chunk.chunks_exact(channels);
        if self.weights == weights {
            mixed.extend(frames.map(|frame| dot(frame, &weights)));
            return;
        }
        // A sudden change would be heard as a click.
        let step = 1.0 / (chunk.len() / channels) as f32;
        mixed.extend(frames.enumerate().map(|(index, frame)| {
            let share = index as f32 * step;
            dot(frame, &self.weights) * (1.0 - share) + dot(frame, &weights) * share
        }));
        self.weights = weights;
    }

    /// Measures a chunk, and decides whether a channel is used alone.
    fn measure(&mut self, chunk: &[f32], channels: usize) {
        self.powers.resize(channels, 0.0);
        self.powers.iter_mut().for_each(|power| *power *= MEMORY);
        self.sum *= MEMORY;
        for frame in chunk.chunks_exact(channels) {
            let mut sum = 0.0;
            for (sample, power) in frame.iter().zip(&mut self.powers) {
                *power += sample * sample;
                sum += sample;
            }
            self.sum += sum * sum;
        }
        let total: f32 = self.powers.iter().sum();
        // The sum of equal channels has the highest power that their powers allow.
        let missing = total - self.sum / channels as f32;
        self.distinct |= missing > total * DISTINCT_SHARE && total > SILENT_POWER;
        let bound = if self.solo.is_some() {
            FOUND_SHARE
        } else {
            LOST_SHARE
        };
        self.solo = (self.sum < total * bound).then(|| {
            let loudest = |a: &usize, b: &usize| self.powers[*a].total_cmp(&self.powers[*b]);
            let best = (0..channels).max_by(loudest).unwrap_or(0);
            // Two channels of equal loudness would alternate.
            self.solo
                .filter(|solo| self.powers[*solo] * 2.0 > self.powers[best])
                .unwrap_or(best)
        });
    }
}

/// The samples of one channel; silence for a channel that the sound lacks.
pub(crate) fn channel(sound: &Sound, number: usize) -> Vec<f32> {
    let frames = sound.samples.chunks_exact(sound.channels.max(1));
    frames
        .map(|frame| frame.get(number).copied().unwrap_or(0.0))
        .collect()
}

fn dot(frame: &[f32], weights: &[f32]) -> f32 {
    frame
        .iter()
        .zip(weights)
        .map(|(sample, weight)| sample * weight)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root mean square of the mix of two seconds, where channel `k` at `time` seconds is `signal(k, time)`.
    fn mixed(ear: Ear, channels: usize, signal: impl Fn(usize, f32) -> f32) -> f32 {
        let frames = 64 * CHUNK;
        let samples = (0..frames * channels)
            .map(|index| signal(index % channels, (index / channels) as f32 / 16_000.0))
            .collect();
        let mix = Mixer::new(ear).mix(Sound { channels, samples });
        assert_eq!(mix.len(), frames);
        let power: f32 = mix.iter().map(|sample| sample * sample).sum();
        (power / frames as f32).sqrt()
    }

    fn tone(hertz: f32, time: f32) -> f32 {
        2_f32.sqrt() * (std::f32::consts::TAU * hertz * time).sin()
    }

    #[test]
    fn every_channel_is_heard() {
        let near =
            |found: f32, expected: f32| assert!((found - expected).abs() < 0.03, "{found}, not {expected}");
        near(mixed(Ear::Mix, 1, |_, time| tone(440.0, time)), 1.0);
        // The level of stereo is that of ffmpeg's own mix.
        near(mixed(Ear::Mix, 2, |_, time| tone(440.0, time)), 2_f32.sqrt());
        for channels in 2..25 {
            for loud in 0..channels {
                let level = mixed(Ear::Mix, channels, |k, time| {
                    if k == loud { tone(440.0, time) } else { 0.0 }
                });
                near(level, (channels as f32).sqrt().recip());
            }
        }
        near(
            mixed(Ear::Mix, 4, |k, time| tone(300.0 + 70.0 * k as f32, time)),
            1.0,
        );
        near(
            mixed(Ear::Channel(2), 3, |k, time| k as f32 * tone(440.0, time)),
            2.0,
        );
        near(mixed(Ear::Channel(9), 3, |_, time| tone(440.0, time)), 0.0);
    }

    #[test]
    fn opposite_phase_is_not_silence() {
        let opposite = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        let level = mixed(Ear::Mix, 2, |k, time| opposite(k) * tone(440.0, time));
        assert!(level > 0.97, "{level}");
        let level = mixed(Ear::Mix, 4, |k, time| opposite(k) * tone(440.0, time));
        assert!(level > 0.97, "{level}");
        // The phase changes in the middle: nothing is lost on either side.
        let level = mixed(
            Ear::Mix,
            2,
            |k, time| if time < 1.0 { 1.0 } else { opposite(k) } * tone(440.0, time),
        );
        assert!(level > 0.97, "{level}");
    }
}
