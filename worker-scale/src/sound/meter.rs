//! Measures the loudness of one track by EBU R128 (ITU-R BS.1770).

use super::track::RATE;
use crate::job::Job;
use ebur128::{EbuR128, Mode};
use std::{ffi::OsString, io};
use tokio::io::AsyncReadExt;
use vidp_common::process::{self, Access};
use vidp_worker::ffmpeg::{Input, MediaError, process_limits};

/// Loudness in LUFS at or below which everything is gated away: the track is silent (ITU-R BS.1770, absolute gate).
const SILENCE: f64 = -70.0;
/// Bytes that are measured at once.
const BUFFER: usize = 1 << 18;

/// The level of one track.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Level {
    /// Integrated loudness in LUFS.
    pub(super) integrated: f64,
    /// Loudness range in LU.
    pub(super) range: f64,
    /// True peak in dBTP.
    pub(super) true_peak: f64,
}

/// The sound that is measured: a stream of a file behind a filter.
pub(super) struct Listened<'a> {
    pub(super) input: Input<'a>,
    pub(super) access: Access,
    /// ffmpeg's stream specifier.
    pub(super) stream: String,
    pub(super) filter: Option<&'a str>,
    pub(super) channels: u32,
}

impl Job<'_> {
    /// Measures a track. `None`: it is silent or cannot be decoded.
    pub(super) async fn level(&self, listened: Listened<'_>) -> Result<Option<Level>, MediaError> {
        let mut args: Vec<OsString> = ["-nostdin", "-hide_banner", "-v", "error", "-max_error_rate", "1"]
            .map(OsString::from)
            .into();
        args.extend(self.settings.limits.decode_args());
        args.extend(listened.input.args());
        let channels = listened.channels.to_string();
        args.extend(["-map", &listened.stream].map(OsString::from));
        if let Some(filter) = listened.filter {
            args.extend(["-af", filter].map(OsString::from));
        }
        args.extend(["-ac", &channels].map(OsString::from));
        args.extend(["-ar", &RATE.to_string(), "-f", "f32le", "-"].map(OsString::from));
        let limits = process_limits(self.probe.facts.duration);
        let mut child = process::spawn(
            &self.settings.tools.ffmpeg,
            args,
            limits,
            &listened.access,
            |_| {},
        )?;
        let (stdout, channels) = (child.stdout(), listened.channels);
        let reader = tokio::spawn(meter(stdout, channels));
        let ended = child.finish(self.cancel).await;
        let level = reader.await.map_err(io::Error::other).flatten();
        match ended {
            Ok(()) => level.map_err(MediaError::reading),
            Err(error) => match MediaError::decoding(error) {
                MediaError::Media { .. } => Ok(None),
                error => Err(error),
            },
        }
    }
}

/// Measures interleaved little-endian floats.
async fn meter(mut from: impl AsyncReadExt + Unpin, channels: u32) -> io::Result<Option<Level>> {
    // A histogram has the same size for any length.
    let mode = Mode::I | Mode::LRA | Mode::TRUE_PEAK | Mode::HISTOGRAM;
    let mut meter = EbuR128::new(channels, RATE, mode).map_err(io::Error::other)?;
    let frame = 4 * channels as usize;
    let mut filled = Vec::with_capacity(BUFFER + frame);
    loop {
        let mut limited = (&mut from).take(BUFFER as u64);
        let read = limited.read_to_end(&mut filled).await?;
        let rest = filled.split_off(filled.len() / frame * frame);
        // The measurement needs the processor for as long as the decoder does: not on a thread that sends heartbeats.
        meter = tokio::task::spawn_blocking(move || add(meter, &filled))
            .await
            .map_err(io::Error::other)??;
        filled = rest;
        if read == 0 {
            return level(&meter, channels).map_err(io::Error::other);
        }
    }
}

/// Adds whole frames of samples.
fn add(mut meter: EbuR128, bytes: &[u8]) -> io::Result<EbuR128> {
    let (floats, _) = bytes.as_chunks::<4>();
    // A damaged file may decode to infinite values.
    let samples = floats.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let finite: Vec<f32> = samples
        .map(|sample| if sample.is_finite() { sample } else { 0.0 })
        .collect();
    meter.add_frames_f32(&finite).map_err(io::Error::other)?;
    Ok(meter)
}

fn level(meter: &EbuR128, channels: u32) -> Result<Option<Level>, ebur128::Error> {
    let integrated = meter.loudness_global()?;
    if !integrated.is_finite() || integrated <= SILENCE {
        return Ok(None);
    }
    let mut peak = 0.0_f64;
    for channel in 0..channels {
        peak = peak.max(meter.true_peak(channel)?);
    }
    Ok(Some(Level {
        integrated,
        range: meter.loudness_range()?,
        true_peak: 20.0 * peak.max(1e-6).log10(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// A sine of this peak in both channels.
    fn tone(peak: f64, seconds: u32) -> Vec<u8> {
        let sample = |n: u32| (peak * (TAU * 997.0 * f64::from(n) / f64::from(RATE)).sin()) as f32;
        (0..seconds * RATE)
            .flat_map(|n| [sample(n).to_le_bytes(); 2].concat())
            .collect()
    }

    /// EBU Tech 3341, test case 1: a stereo sine of -23 dBFS at 1 kHz has -23 LUFS.
    #[tokio::test]
    async fn a_tone_has_its_loudness() {
        let peak = 10_f64.powf(-23.0 / 20.0);
        let level = meter(tone(peak, 5).as_slice(), 2).await.unwrap().unwrap();
        assert!((level.integrated + 23.0).abs() < 0.1, "{level:?}");
        assert!((level.true_peak + 23.0).abs() < 0.2, "{level:?}");
        assert!(level.range < 0.2, "{level:?}");
    }

    /// Heartbeats run on the same thread. A measurement that kept it lost the lease of its task.
    #[tokio::test]
    async fn the_thread_does_other_work_meanwhile() {
        let (bytes, mut turns) = (tone(0.1, 20), 0);
        let others = async {
            loop {
                tokio::task::yield_now().await;
                turns += 1;
            }
        };
        tokio::select! {
            biased;
            level = meter(bytes.as_slice(), 2) => assert!(level.unwrap().is_some()),
            () = others => {}
        }
        assert!(turns > 10, "{turns}");
    }

    #[tokio::test]
    async fn silence_has_no_level() {
        for bytes in [Vec::new(), vec![0; 8 * 48_000], vec![1; 7], tone(1e-5, 1)] {
            assert_eq!(meter(bytes.as_slice(), 2).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn values_that_are_no_numbers_are_silence() {
        let bytes: Vec<u8> = (0..96_000).flat_map(|_| f32::NAN.to_le_bytes()).collect();
        assert_eq!(meter(bytes.as_slice(), 2).await.unwrap(), None);
    }
}
