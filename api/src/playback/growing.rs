//! Playlists of a stream that grows while its film is made. Pure.
//!
//! Their names differ from those of the complete stream, so that a viewer who opens them stays with them to the end. A list
//! only appends. It ends with the last part, or when the stage `scale` has ended.

use super::{
    CAPTIONS, CAPTIONS_LIST, Captions, GROWING, NO_CAPTIONS, Text,
    hls::tracks,
    playlist::{EVENT, finish, head, init_segment, ranges, stem, text},
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};
use vidp_contract::{Output, StreamPart, StreamSet, StreamTrack, StreamVideo};

/// Seconds of a segment of captions. Each segment is the same small file. While there is none, players ask again after half of this time.
const CAPTIONS_SECONDS: u32 = 60;
/// Seconds of the segment before them. shaka-player asks for all lists again after the shortest last segment.
const NO_CAPTIONS_SECONDS: u32 = 4;
/// Segments of a track at most, and of captions: a week.
const MAX_SEGMENTS: usize = 200_000;
const MAX_CAPTIONS: usize = 10_080;

/// Bits of a pixel that the rate of a rendition states at least: the first part may be a dark picture, and players read rates once.
const BITS_OF_PIXEL: f64 = 0.1;

/// The parts of a stream that can be played.
#[derive(Default)]
pub(crate) struct Growing {
    /// The parts in their order. The first one has all tracks.
    pub(super) parts: Vec<Arc<StreamPart>>,
    /// True when no part follows: the next one is missing or cannot be used.
    pub(super) is_closed: bool,
    /// Segments of a track at most.
    segments: usize,
    /// Seconds from 0 to the end of the longest track.
    seconds: f64,
    /// The playlists of tracks, by their names and whether they end. Many viewers ask for the same.
    playlists: Mutex<BTreeMap<(String, bool), Text>>,
}

impl Growing {
    /// The same parts, to which others are appended.
    pub(super) fn begin_next(&self) -> Growing {
        Growing {
            parts: self.parts.clone(),
            is_closed: false,
            segments: self.segments,
            seconds: self.seconds,
            playlists: Mutex::default(),
        }
    }

    /// Appends the next part.
    ///
    /// # Errors
    /// The part does not continue the others, or the stream would have too many segments.
    pub(super) fn push(&mut self, part: StreamPart) -> Result<(), String> {
        if self
            .parts
            .first()
            .is_some_and(|first| !is_continued(first, &part))
        {
            return Err("its tracks are not those of the first part".to_owned());
        }
        let counts = part.set.tracks().map(|track| track.segments.len());
        let segments = self.segments + counts.max().unwrap_or(0);
        if segments > MAX_SEGMENTS {
            return Err(format!("the stream has more than {MAX_SEGMENTS} segments"));
        }
        self.segments = segments;
        self.seconds = self.seconds.max(part.set.duration());
        self.parts.push(Arc::new(part));
        Ok(())
    }

    /// The list of all tracks; `None` without parts. It names no images, which are made at the end, and no playlists of key frames.
    pub(crate) fn master(&self, captions: Option<&Captions>, is_complete: bool) -> Option<String> {
        let captions = captions.map_or(&[][..], std::slice::from_ref);
        let mut lines = tracks(&self.set()?, captions, None, GROWING, least_rate);
        if !self.is_over(is_complete) {
            // Without this line a player begins at the end, as it does with a broadcast.
            lines.push("#EXT-X-START:TIME-OFFSET=0,PRECISE=YES".to_owned());
        }
        Some(text(&lines))
    }

    /// The playlist of one track with this file name; `None` when the stream has none of this name.
    pub(crate) fn media(&self, captions: Option<&Captions>, file: &str, is_complete: bool) -> Option<Text> {
        let name = file.strip_prefix(GROWING)?.strip_suffix(".m3u8")?;
        let is_over = self.is_over(is_complete);
        if name == CAPTIONS_LIST {
            return Some(Text::hls(self.captions(captions, is_over)));
        }
        let key = (name.to_owned(), is_over);
        if let Some(known) = self.playlists.lock().get(&key) {
            return Some(known.clone());
        }
        let text = Text::hls(self.track(name, is_over)?);
        self.playlists.lock().insert(key, text.clone());
        Some(text)
    }

    /// The playlist of the track with this name.
    fn track(&self, name: &str, is_over: bool) -> Option<String> {
        let first = self.parts.first()?;
        let known = first.set.tracks().find(|track| stem(track) == name)?;
        let mut lines = head(first.target.into(), EVENT);
        lines.push(init_segment(&piece_name(&known.name, 0), known.init));
        for (number, part) in self.parts.iter().enumerate() {
            if let Some(track) = track(&part.set, &known.name) {
                let file = piece_name(&known.name, number);
                ranges(&mut lines, track, &file, |segment| segment.size);
            }
        }
        Some(finish(lines, is_over))
    }

    /// True when no part follows: the last one is there, or the stage has ended. The end comes with the last segments, because hls.js
    /// notices an end that comes later too late.
    fn is_over(&self, is_complete: bool) -> bool {
        is_complete || self.is_closed || self.parts.last().is_some_and(|part| part.last)
    }

    /// The object of a part with this file name.
    pub(crate) fn piece(&self, file: &str) -> Option<&Output> {
        let (_, end) = file.rsplit_once('-')?;
        let number: usize = end.split_once('.')?.0.parse().ok()?;
        let mut objects = self.parts.get(number)?.objects.iter();
        objects.find(|object| piece_name(&object.name, number) == file)
    }

    /// The playlist of captions. It is never empty, because players take an empty list for an error: its first segment has no captions. Times of
    /// cues count from the beginning of the stream, so that each segment shows its own.
    fn captions(&self, captions: Option<&Captions>, is_over: bool) -> String {
        let mut lines = head(CAPTIONS_SECONDS.into(), EVENT);
        lines.extend([
            format!("#EXTINF:{NO_CAPTIONS_SECONDS}.00000,"),
            NO_CAPTIONS.to_owned(),
        ]);
        if captions.is_some_and(|captions| captions.is_stored) {
            let count = (self.seconds / f64::from(CAPTIONS_SECONDS)).ceil() as usize;
            for _ in 0..count.min(MAX_CAPTIONS) {
                lines.extend([format!("#EXTINF:{CAPTIONS_SECONDS}.00000,"), CAPTIONS.to_owned()]);
            }
        }
        let is_ended = captions.is_none_or(|captions| captions.is_stored && is_over);
        finish(lines, is_ended)
    }

    /// The first part with the segments of all parts, for rates and durations. The places of segments are those in their own part.
    fn set(&self) -> Option<StreamSet> {
        let (first, rest) = self.parts.split_first()?;
        let mut set = first.set.clone();
        let video = set.video.iter_mut().map(|video| &mut video.track);
        let audio = set.audio.iter_mut().map(|audio| &mut audio.track);
        for whole in video.chain(audio) {
            let more = rest.iter().filter_map(|part| track(&part.set, &whole.name));
            let more: Vec<_> = more.flat_map(|more| &more.segments).copied().collect();
            whole.segments.extend(more);
        }
        Some(set)
    }
}

/// The rate in bits a second that a rendition of this size may reach, for a viewer who sees only the beginning.
fn least_rate(video: &StreamVideo) -> u64 {
    (f64::from(video.width) * f64::from(video.height) * video.fps * BITS_OF_PIXEL) as u64
}

/// True when a part has the pictures of the first one, and each of its tracks has the same init segment and clock there.
fn is_continued(first: &StreamPart, part: &StreamPart) -> bool {
    let is_same = |one: &StreamTrack| {
        let before = track(&first.set, &one.name);
        before.is_some_and(|before| (before.timescale, before.init) == (one.timescale, one.init))
    };
    first.target == part.target
        && first.set.video.len() == part.set.video.len()
        && part.set.tracks().all(is_same)
}

/// The track with this name.
fn track<'a>(set: &'a StreamSet, name: &str) -> Option<&'a StreamTrack> {
    set.tracks().find(|track| track.name == name)
}

/// The name of a track's object in the part with this number: `growing-720p-00003.cmfv`.
fn piece_name(track: &str, number: usize) -> String {
    let (stem, extension) = track.split_once('.').unwrap_or((track, ""));
    format!("{GROWING}{stem}-{number:05}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::samples;
    use vidp_contract::Segment;

    /// The part of the contract's golden file, and one with another segment of the picture and without sound.
    fn parts() -> [StreamPart; 2] {
        let first = samples::part();
        let mut second = first.clone();
        second.set.audio.clear();
        second.objects.truncate(1);
        second.objects[0].key.push_str("-second");
        let track = &mut second.set.video[0].track;
        track.start = 540_000;
        track.segments = vec![Segment {
            size: 125_000,
            duration: 225_000,
            first_sample: 9000,
        }];
        [first, second]
    }

    fn grown(count: usize) -> Growing {
        let mut growing = Growing::default();
        for part in parts().into_iter().take(count) {
            growing.push(part).unwrap();
        }
        growing
    }

    fn text(growing: &Growing, captions: Option<&Captions>, file: &str, is_complete: bool) -> String {
        let text = growing.media(captions, file, is_complete).unwrap();
        String::from_utf8(text.bytes.to_vec()).unwrap()
    }

    fn captions(is_stored: bool) -> Captions {
        let (_, captions) = samples::stream();
        Captions {
            is_stored,
            ..captions
        }
    }

    #[test]
    fn playlists_are_those_of_the_golden_files() {
        let (growing, captions) = (grown(2), captions(true));
        let media = |file: &str| text(&growing, Some(&captions), file, true);
        assert_eq!(
            growing.master(Some(&captions), false).unwrap(),
            include_str!("golden/growing-master.m3u8")
        );
        assert_eq!(
            media("growing-720p.m3u8"),
            include_str!("golden/growing-720p.m3u8")
        );
        assert_eq!(
            media("growing-audio-1.m3u8"),
            include_str!("golden/growing-audio-1.m3u8")
        );
        assert_eq!(
            media("growing-captions.m3u8"),
            include_str!("golden/growing-captions.m3u8")
        );
    }

    #[test]
    fn another_reader_finds_the_parts() {
        let growing = grown(2);
        let list = growing.master(None, false).unwrap();
        let master = m3u8_rs::parse_master_playlist_res(list.as_bytes()).unwrap();
        assert_eq!(master.start.unwrap().time_offset, 0.0);
        assert_eq!(master.alternatives.len(), 1);
        let uris: Vec<_> = master.variants.iter().map(|variant| &*variant.uri).collect();
        assert_eq!(uris, ["growing-720p.m3u8"]);
        // The size of the picture states more than its beginning.
        assert_eq!(master.variants[0].bandwidth, 2_304_000 + 129_033);
        assert!(!growing.master(None, true).unwrap().contains("EXT-X-START"));

        let text = text(&growing, None, "growing-720p.m3u8", false);
        let list = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
        assert!(!list.end_list);
        assert_eq!(list.target_duration, 8);
        let found: Vec<_> = list
            .segments
            .iter()
            .map(|segment| (&*segment.uri, segment.byte_range.as_ref().unwrap().offset))
            .collect();
        assert_eq!(
            found,
            [
                ("growing-720p-00000.cmfv", Some(812)),
                ("growing-720p-00000.cmfv", Some(500_812)),
                ("growing-720p-00001.cmfv", Some(812)),
            ]
        );
        assert_eq!(list.segments[0].map.as_ref().unwrap().uri, found[0].0);
    }

    #[test]
    fn lists_only_append_until_they_end() {
        for file in [
            "growing-720p.m3u8",
            "growing-audio-1.m3u8",
            "growing-captions.m3u8",
        ] {
            let states = [
                (1, false, false),
                (1, true, false),
                (2, true, false),
                (2, true, true),
            ];
            let texts = states.map(|(count, is_stored, is_complete)| {
                let captions = captions(is_stored);
                text(&grown(count), Some(&captions), file, is_complete)
            });
            for pair in texts.windows(2) {
                assert!(pair[1].starts_with(&pair[0]), "{file}: {pair:?}");
            }
            assert!(!texts[2].contains("#EXT-X-ENDLIST"), "{file}");
            assert!(texts[3].ends_with("\n#EXT-X-ENDLIST\n"), "{file}");
            let mut whole = grown(1);
            let [_, second] = parts();
            whole.push(StreamPart { last: true, ..second }).unwrap();
            let ended = text(&whole, Some(&captions(true)), file, false);
            assert_eq!(ended, texts[3], "{file}: the last part is there");
        }
    }

    #[test]
    fn the_list_of_captions_stays_open_while_they_may_come() {
        let list = |captions: Option<&Captions>, is_complete| {
            text(&grown(1), captions, "growing-captions.m3u8", is_complete)
        };
        let waiting = list(Some(&captions(false)), true);
        assert!(!waiting.contains("#EXT-X-ENDLIST") && !waiting.contains(CAPTIONS));
        assert!(waiting.ends_with("\ngrowing-captions.vtt\n"), "{waiting}");
        assert_eq!(list(None, true), waiting + "#EXT-X-ENDLIST\n");
    }

    #[test]
    fn pieces_are_the_objects_of_their_part() {
        let growing = grown(2);
        for (number, part) in growing.parts.iter().enumerate() {
            for object in &part.objects {
                let name = piece_name(&object.name, number);
                assert_eq!(growing.piece(&name).unwrap(), object, "{name}");
            }
        }
        for name in [
            "720p.cmfv",
            "growing-720p.cmfv",
            "growing-720p-1.cmfv",
            "growing-720p-+0001.cmfv",
            "growing-720p-00002.cmfv",
            "growing-720p-00000.cmfa",
            "growing-480p-00000.cmfv",
            "growing-audio-1-00001.cmfa",
            "growing-00000.cmfv",
            "growing-720p-00000",
            "-",
        ] {
            assert!(growing.piece(name).is_none(), "{name}");
        }
        for name in [
            "720p.m3u8",
            "growing-480p.m3u8",
            "growing-720p",
            "growing-storyboard.m3u8",
        ] {
            assert!(growing.media(None, name, false).is_none(), "{name}");
        }
        let nothing = Growing::default();
        assert_eq!(nothing.master(None, false), None);
        assert!(nothing.media(None, "growing-720p.m3u8", false).is_none());
    }

    #[test]
    fn a_part_must_continue_the_others() {
        let changes: [fn(&mut StreamPart); 5] = [
            |part| part.target += 1,
            |part| part.set.video[0].track.init += 1,
            |part| part.set.video[0].track.timescale += 1,
            |part| part.set.video[0].track.name = "480p.cmfv".to_owned(),
            |part| part.set.video.push(part.set.video[0].clone()),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut growing = grown(1);
            let [_, mut second] = parts();
            change(&mut second);
            assert!(growing.push(second).is_err(), "{number}");
            assert_eq!(growing.parts.len(), 1);
        }
    }
}
