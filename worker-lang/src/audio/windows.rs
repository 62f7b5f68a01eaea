//! Where in a track to listen.

use crate::speech::CHUNK;

/// Seconds of a window in a long track: enough to hold 15 s of speech as people talk.
const LENGTH: f64 = 20.0;
/// Seconds that are heard in one piece: little more to fetch than one window, and one start of ffmpeg.
const WHOLE: f64 = 32.0;
/// Windows at most, so that the cost does not grow with the track. Up to 8 minutes they cover it wholly.
const MOST: usize = 24;
/// The share of a long track's beginning and end in which no window lies: logos, titles, credits.
const EDGE: f64 = 0.05;

/// A part of a track, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// From the track's start.
    pub start: f64,
    /// Its length.
    pub length: f64,
}

/// Windows over a track of `duration` seconds, in the order in which to listen: each one far from those before it,
/// the first in the middle.
pub fn plan(duration: f64) -> Vec<Window> {
    if duration <= WHOLE {
        return vec![Window {
            start: 0.0,
            length: duration.max(CHUNK as f64 / 16_000.0),
        }];
    }
    let tiles = (duration / LENGTH).ceil() as usize;
    let window = |index: usize| {
        if tiles <= MOST {
            let length = duration / tiles as f64;
            return Window {
                start: index as f64 * length,
                length,
            };
        }
        let (first, last) = (duration * EDGE, duration * (1.0 - EDGE) - LENGTH);
        Window {
            start: first + (last - first) * index as f64 / (MOST - 1) as f64,
            length: LENGTH,
        }
    };
    spread(tiles.min(MOST)).into_iter().map(window).collect()
}

/// The numbers below `count` in the order of the van der Corput sequence: 1/2, 1/4, 3/4, 1/8, 5/8 …
fn spread(count: usize) -> Vec<usize> {
    let bits = count.next_power_of_two().trailing_zeros();
    let mut order = Vec::with_capacity(count);
    // Zero comes last; several terms may round to one number.
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
                length: 12.0
            }]
        );
        for duration in [33.0, 100.0, 299.0, 480.0] {
            let heard: f64 = plan(duration).iter().map(|window| window.length).sum();
            assert!((heard - duration).abs() < 0.01, "{duration}: {heard}");
        }
        for duration in [500.0, 3600.0, 20_000.0] {
            let windows = plan(duration);
            assert_eq!(windows.len(), MOST);
            let inside = |w: &Window| w.start >= duration * EDGE - 0.01 && w.start + w.length <= duration;
            assert!(windows.iter().all(inside), "{windows:?}");
            assert!((windows[0].start / duration - 0.5).abs() < 0.05);
        }
        assert_eq!(plan(0.0).len(), 1);
    }
}
