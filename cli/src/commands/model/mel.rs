//! The filter bank that maps a spectrum to mel bands: Slaney's, with which Whisper was trained.

const SAMPLE_RATE: f64 = 16_000.0;
const FFT: usize = 400;
/// Number of frequencies in the spectrum.
pub(super) const BINS: usize = FFT / 2 + 1;

/// The scale is linear up to here (Hz), and logarithmic above.
const LINEAR_END: f64 = 1000.0;
const HZ_PER_MEL: f64 = 200.0 / 3.0;
const LINEAR_MELS: f64 = LINEAR_END / HZ_PER_MEL;
/// 27 mels multiply the frequency by 6.4.
const LOG_RANGE: (f64, f64) = (6.4, 27.0);

/// Returns `bands` rows of [`BINS`] weights. Each row is a triangle between the centres of its neighbours, with area 2.
pub(super) fn filters(bands: usize) -> Vec<f32> {
    let top = to_mel(SAMPLE_RATE / 2.0);
    let centre = |i: usize| to_hz(top * i as f64 / (bands + 1) as f64);
    (0..bands)
        .flat_map(|band| {
            let (low, mid, high) = (centre(band), centre(band + 1), centre(band + 2));
            (0..BINS).map(move |bin| {
                let hz = bin as f64 * SAMPLE_RATE / FFT as f64;
                let rising = (hz - low) / (mid - low);
                let falling = (high - hz) / (high - mid);
                (rising.min(falling).max(0.0) * 2.0 / (high - low)) as f32
            })
        })
        .collect()
}

fn log_step() -> f64 {
    LOG_RANGE.0.ln() / LOG_RANGE.1
}

fn to_mel(hz: f64) -> f64 {
    if hz < LINEAR_END {
        hz / HZ_PER_MEL
    } else {
        LINEAR_MELS + (hz / LINEAR_END).ln() / log_step()
    }
}

fn to_hz(mel: f64) -> f64 {
    if mel < LINEAR_MELS {
        mel * HZ_PER_MEL
    } else {
        LINEAR_END * (log_step() * (mel - LINEAR_MELS)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whispers_own_filters() {
        let filters = filters(80);
        assert_eq!(filters.len(), 80 * BINS);
        // The first weights of Whisper's mel_filters.npz.
        assert_eq!(filters[0], 0.0);
        assert!((filters[1] - 0.024_862_594).abs() < 1e-7, "{}", filters[1]);
    }
}
