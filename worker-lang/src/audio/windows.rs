//! Chooses the windows of a track for language detection.

/// Seconds of a window in a long track. Typical talk has 15 s of speech in this time.
const WINDOW_LENGTH: f64 = 20.0;
/// Longest track, in seconds, that is one window. It costs one start of ffmpeg and little more data than a window.
const MAX_SINGLE_WINDOW: f64 = 32.0;
/// Seconds by which the only window of a track exceeds the stated duration.
const SPARE_SECONDS: f64 = 1.0;
/// Windows at most, so that the cost does not grow with the track. They cover tracks up to 8 minutes completely.
const MAX_WINDOWS: usize = 24;
/// Share of a long track at its beginning and at its end without windows, because of logos, titles and credits.
const EDGE_SHARE: f64 = 0.05;

/// A part of a track, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    /// Seconds from the track's start.
    pub(crate) start: f64,
    /// Length in seconds.
    pub(crate) length: f64,
}

/// Windows of a track of `duration` seconds in listening order.
///
/// The first is in the middle, and each one is far from those before it.
pub(crate) fn plan(duration: f64) -> Vec<Window> {
    if duration <= MAX_SINGLE_WINDOW {
        // A track that ends within the spare second is known to have been heard to its end.
        return vec![Window {
            start: 0.0,
            length: duration.max(0.0) + SPARE_SECONDS,
        }];
    }
    let tiles = (duration / WINDOW_LENGTH).ceil() as usize;
    let window = |index: usize| {
        if tiles <= MAX_WINDOWS {
            let length = duration / tiles as f64;
            return Window {
                start: index as f64 * length,
                length,
            };
        }
        let (first, last) = (
            duration * EDGE_SHARE,
            duration * (1.0 - EDGE_SHARE) - WINDOW_LENGTH,
        );
        Window {
            start: first + (last - first) * index as f64 / (MAX_WINDOWS - 1) as f64,
            length: WINDOW_LENGTH,
        }
    };
    spread(tiles.min(MAX_WINDOWS)).into_iter().map(window).collect()
}

/// Orders the numbers below `count` by the van der Corput sequence: 1/2, 1/4, 3/4, 1/8, 5/8 …
fn spread(count: usize) -> Vec<usize> {
    let bits = count.next_power_of_two().trailing_zeros();
    let mut order = Vec::with_capacity(count);
    // Zero is the last term. Several terms may round to the same number.
    for term in (1..1_usize << (bits + 1)).chain([0]) {
        let reversed = term.reverse_bits() >> (usize::BITS - bits - 1);
        let index = (reversed * count) >> (bits + 1);
        if !order.contains(&index) {
            order.push(index);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_once_and_far_from_the_last() {
        assert_eq!(spread(8), [4, 2, 6, 1, 5, 3, 7, 0]);
        for count in 1..50 {
            let mut order = spread(count);
            assert_eq!(order[0], count / 2);
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn short_tracks_are_covered_and_long_ones_sampled() {
        assert_eq!(
            plan(12.0),
            [Window {
                start: 0.0,
                length: 13.0
            }]
        );
        for duration in [33.0, 100.0, 299.0, 480.0] {
            let heard: f64 = plan(duration).iter().map(|window| window.length).sum();
            assert!((heard - duration).abs() < 0.01, "{duration}: {heard}");
        }
        for duration in [500.0, 3600.0, 20_000.0] {
            let windows = plan(duration);
            assert_eq!(windows.len(), MAX_WINDOWS);
            let inside =
                |w: &Window| w.start >= duration * EDGE_SHARE - 0.01 && w.start + w.length <= duration;
            assert!(windows.iter().all(inside), "{windows:?}");
            assert!((windows[0].start / duration - 0.5).abs() < 0.05);
        }
        assert_eq!(plan(0.0).len(), 1);
    }
}
