//! The places where a film is cut into parts. Pure.

use serde::{Deserialize, Serialize};
use std::ops::{Range, RangeInclusive};
use vidp_worker::ffmpeg::{Packets, TICKS};

/// Parts of a film at least. Fewer save nothing.
pub(super) const MIN_PARTS: usize = 3;
/// Seconds between key frames of a rendition. Parts begin at multiples, so that key frames stand where one run puts them.
const GRID: i64 = 2 * TICKS as i64;
/// Share of the film that parts may decode in vain at most. Decoding is about a tenth of the work.
const MAX_DECODED_AGAIN: f64 = 0.5;
/// Share of its pictures by which a part may differ from the packets of the source, which may be damaged.
const TOLERANCE: f64 = 0.02;

/// A part of a film. Each picture of the source belongs to exactly one part, by its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Time of the part's first picture at the earliest, in ticks of the file's clock. `None`: the part begins the film.
    pub(crate) start: Option<i64>,
    /// The part ends before the picture of this time, in ticks. `None`: the part ends the film.
    pub(crate) end: Option<i64>,
    /// Places from which decoding finds the first picture, in the order in which to try them: times of key frames in
    /// ticks, or `None` for the start of the file.
    pub(crate) seeks: Vec<Option<i64>>,
    /// Number of the source's pictures in the part.
    pub(crate) pictures: usize,
}

impl Part {
    /// True when the part has the pictures that it must have.
    pub(crate) fn is_complete(&self, pictures: u64) -> bool {
        (self.pictures as u64).abs_diff(pictures) <= (self.pictures as f64 * TOLERANCE) as u64
    }
}

/// Seconds of parts. Each part is twice as long as the one before it, up to the longest.
#[derive(Clone, Copy)]
pub(crate) struct Lengths {
    pub(crate) first: u32,
    pub(crate) longest: u32,
}

/// Cuts a film of these packets into parts of about these lengths. Empty when it is better made in one piece.
///
/// `origin` is the time that becomes 0 in the renditions. `is_indexed` says that a seek finds a key frame exactly.
/// Otherwise decoding begins one key frame earlier.
pub(crate) fn cut(packets: &Packets, origin: i64, lengths: Lengths, is_indexed: bool) -> Vec<Part> {
    let Some(last) = packets.times.last() else {
        return Vec::new();
    };
    let film = last - origin;
    let on_grid = |seconds: u32| (i64::from(seconds) * i64::from(TICKS) / GRID).max(1) * GRID;
    let (mut first, mut length) = (on_grid(lengths.first), on_grid(lengths.longest));
    while 2 * length <= film {
        let cuts = places(packets, origin, first..=length, *last);
        let seek = |at: i64| before(&packets.keys, at, if is_indexed { 1 } else { 2 });
        let again: i64 = cuts
            .iter()
            .map(|at| at - seek(*at).unwrap_or(origin).min(*at))
            .sum();
        if again as f64 <= film as f64 * MAX_DECODED_AGAIN {
            return parts(packets, &cuts, is_indexed);
        }
        (first, length) = (first * 2, length * 2);
    }
    Vec::new()
}

/// The times of the cuts: multiples of [`GRID`], each soon after a key frame. The first part has the first of the `lengths` at least, and
/// each later one twice as much as the one before it, up to the last of the lengths.
fn places(packets: &Packets, origin: i64, lengths: RangeInclusive<i64>, last: i64) -> Vec<i64> {
    let mut cuts = Vec::new();
    let (mut at, mut length) = (origin, *lengths.start());
    loop {
        let candidates = (0..=length / 2 / GRID).map(|step| at + length + step * GRID);
        let in_vain = |at: &i64| at - before(&packets.keys, *at, 1).unwrap_or(origin);
        let Some(cut) = candidates
            .min_by_key(in_vain)
            .filter(|cut| last - cut >= length / 2)
        else {
            return cuts;
        };
        cuts.push(cut);
        at = cut;
        length = (length * 2).min(*lengths.end());
    }
}

/// The `count`th key frame at or before a time, counted backwards.
fn before(keys: &[i64], at: i64, count: usize) -> Option<i64> {
    let after = keys.partition_point(|key| *key <= at);
    keys.get(after.checked_sub(count)?).copied()
}

fn parts(packets: &Packets, cuts: &[i64], is_indexed: bool) -> Vec<Part> {
    let starts = std::iter::once(None).chain(cuts.iter().copied().map(Some));
    let ends = cuts.iter().copied().map(Some).chain(std::iter::once(None));
    let place = |time: Option<i64>, otherwise: usize| {
        time.map_or(otherwise, |time| {
            packets.times.partition_point(|other| *other < time)
        })
    };
    let part = |(start, end): (Option<i64>, Option<i64>)| {
        let pictures: Range<usize> = place(start, 0)..place(end, packets.times.len());
        let first = if is_indexed { 1 } else { 2 };
        let mut seeks: Vec<_> = start
            .into_iter()
            .flat_map(|at| [first, first + 2].map(|count| before(&packets.keys, at, count)))
            .chain([None])
            .collect();
        seeks.dedup();
        Part {
            start,
            end,
            seeks,
            pictures: pictures.len(),
        }
    };
    starts.zip(ends).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = TICKS as i64;
    const TEN: Lengths = Lengths {
        first: 10,
        longest: 10,
    };

    /// A film of 25 pictures a second with a key frame every `gop` pictures.
    fn film(seconds: i64, gop: usize) -> Packets {
        let times: Vec<i64> = (0..seconds * 25).map(|n| n * SECOND / 25).collect();
        let keys = times.iter().copied().step_by(gop).collect();
        Packets {
            times,
            keys,
            ..Packets::default()
        }
    }

    #[test]
    fn each_picture_is_in_one_part() {
        for (seconds, gop, is_indexed) in [(60, 50, true), (61, 250, false), (599, 33, true), (100, 1, false)]
        {
            let film = film(seconds, gop);
            let parts = cut(&film, 0, TEN, is_indexed);
            assert!(parts.len() > 2, "{seconds} {gop}");
            assert_eq!(
                parts.iter().map(|part| part.pictures).sum::<usize>(),
                film.times.len()
            );
            assert_eq!((parts[0].start, parts.last().unwrap().end), (None, None));
            for pair in parts.windows(2) {
                assert_eq!(pair[0].end, pair[1].start);
                assert_eq!(pair[0].end.unwrap() % GRID, 0);
            }
        }
    }

    #[test]
    fn cuts_follow_key_frames() {
        let starts = |packets: &Packets, is_indexed| -> Vec<i64> {
            let parts = cut(packets, 0, TEN, is_indexed);
            parts
                .iter()
                .filter_map(|part| Some(part.start? / SECOND))
                .collect()
        };
        // A key frame every 6 s: 12 s is a better cut than 10 s.
        assert_eq!(starts(&film(60, 150), true), [12, 24, 36, 48]);
        // Key frames that are rare make parts longer; a single one makes no parts.
        assert_eq!(
            starts(&film(240, 25 * 30), true),
            [30, 60, 90, 120, 150, 180, 210]
        );
        assert_eq!(starts(&film(600, 25 * 600), true), [0; 0]);
        assert_eq!(starts(&film(12, 50), true), [0; 0], "too short");
    }

    #[test]
    fn a_stream_begins_with_short_parts() {
        let lengths = Lengths {
            first: 6,
            longest: 30,
        };
        let starts = |packets: &Packets| -> Vec<i64> {
            let parts = cut(packets, 0, lengths, true);
            parts
                .iter()
                .filter_map(|part| Some(part.start? / SECOND))
                .collect()
        };
        assert_eq!(starts(&film(120, 50)), [6, 18, 42, 72, 102]);
        // With a key frame every 10 s, the first cut is soon and the later ones are at key frames.
        assert_eq!(starts(&film(120, 250)), [6, 20, 50, 80]);
    }

    #[test]
    fn decoding_begins_before_the_cut_where_no_index_helps() {
        let film = film(60, 50);
        let seeks = |is_indexed| cut(&film, 0, TEN, is_indexed)[1].seeks.clone();
        assert_eq!(seeks(true), [Some(10 * SECOND), Some(6 * SECOND), None]);
        assert_eq!(seeks(false), [Some(8 * SECOND), Some(4 * SECOND), None]);
        assert_eq!(cut(&film, 0, TEN, true)[0].seeks, [None]);
    }

    #[test]
    fn the_clock_of_the_file_may_begin_anywhere() {
        let mut film = film(60, 50);
        let shift = -12 * SECOND - 7;
        for time in film.times.iter_mut().chain(&mut film.keys) {
            *time += shift;
        }
        let parts = cut(&film, shift, TEN, true);
        assert_eq!(parts[1].start, Some(shift + 10 * SECOND));
        assert_eq!(cut(&Packets::default(), 0, TEN, true), []);
    }
}
