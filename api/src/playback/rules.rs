//! Apple's rules for authors of HLS ("HLS Authoring Specification for Apple Devices") that playlists alone can break: a test for each.
//! docs/streaming.md lists them.

use super::{Captions, Growing, samples};
use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, MasterPlaylist, MediaPlaylist, MediaPlaylistType, VariantStream,
};

/// The playlists of a stream.
struct Playlists {
    master: MasterPlaylist,
    media: Box<dyn Fn(&str) -> MediaPlaylist>,
    is_complete: bool,
}

/// Those of a complete stream with captions of several kinds, and of one that grows.
fn all() -> [Playlists; 2] {
    let (set, captions) = samples::stream();
    let forced = Captions {
        file: "captions-1.vtt".to_owned(),
        is_forced: true,
        ..captions.clone()
    };
    let several = vec![captions.clone(), forced];
    let complete = Playlists {
        master: read_master(&super::master(&set, &several, false)),
        media: Box::new(move |file| read(&super::media(&set, &several, file).unwrap())),
        is_complete: true,
    };
    let mut growing = Growing::default();
    growing.push(samples::part()).unwrap();
    let growing = Playlists {
        master: read_master(&growing.master(Some(&captions), false).unwrap()),
        media: Box::new(move |file| {
            let text = growing.media(Some(&captions), file, false).unwrap();
            read(std::str::from_utf8(&text.bytes).unwrap())
        }),
        is_complete: false,
    };
    [complete, growing]
}

fn read_master(text: &str) -> MasterPlaylist {
    m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap()
}

fn read(text: &str) -> MediaPlaylist {
    m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap()
}

impl Playlists {
    /// The renditions, without the lists of their key frames.
    fn variants(&self) -> Vec<&VariantStream> {
        let variants = self.master.variants.iter().filter(|variant| !variant.is_i_frame);
        variants.collect()
    }

    fn tracks(&self, kind: AlternativeMediaType) -> Vec<&AlternativeMedia> {
        let tracks = self.master.alternatives.iter();
        tracks.filter(|track| track.media_type == kind).collect()
    }

    /// Every media playlist that the master playlist names, with its name.
    fn lists(&self) -> Vec<(String, MediaPlaylist)> {
        let variants = self.master.variants.iter().map(|variant| variant.uri.clone());
        let tracks = self
            .master
            .alternatives
            .iter()
            .filter_map(|track| track.uri.clone());
        variants
            .chain(tracks)
            .map(|name| (name.clone(), (self.media)(&name)))
            .collect()
    }
}

#[test]
fn each_variant_states_its_rates_codecs_size_and_frame_rate() {
    for playlists in all() {
        for variant in playlists.variants() {
            assert!(variant.bandwidth >= variant.average_bandwidth.unwrap());
            assert!(
                variant.codecs.is_some() && variant.resolution.is_some(),
                "{variant:?}"
            );
            assert!(variant.frame_rate.is_some(), "{variant:?}");
            assert_eq!(
                variant.closed_captions.is_some(),
                playlists.is_complete,
                "{variant:?}"
            );
        }
    }
}

#[test]
fn no_segment_is_above_the_stated_rate_by_a_tenth() {
    for playlists in all() {
        let sound = playlists.tracks(AlternativeMediaType::Audio);
        let sound = peak(&(playlists.media)(sound[0].uri.as_deref().unwrap()));
        for variant in playlists.variants() {
            let measured = peak(&(playlists.media)(&variant.uri)) + sound;
            assert!(
                measured <= variant.bandwidth as f64 * 1.1,
                "{measured} {variant:?}"
            );
        }
    }
}

/// The highest rate of a segment in bits a second.
fn peak(list: &MediaPlaylist) -> f64 {
    let rates = list.segments.iter().map(|segment| {
        segment.byte_range.as_ref().unwrap().length as f64 * 8.0 / f64::from(segment.duration)
    });
    rates.fold(0.0, f64::max)
}

#[test]
fn every_list_has_its_type_and_a_target_that_no_segment_exceeds() {
    for playlists in all() {
        assert!(playlists.master.independent_segments);
        for (name, list) in playlists.lists() {
            for segment in &list.segments {
                assert!(
                    f64::from(segment.duration).round() as u64 <= list.target_duration,
                    "{name}"
                );
            }
            let kind = if playlists.is_complete {
                MediaPlaylistType::Vod
            } else {
                MediaPlaylistType::Event
            };
            assert_eq!(list.playlist_type, Some(kind), "{name}");
            assert_eq!(list.end_list, playlists.is_complete, "{name}");
        }
    }
}

#[test]
fn fragmented_mp4_has_its_init_segment() {
    for playlists in all() {
        for (name, list) in playlists.lists() {
            let is_media = list.segments.iter().all(|segment| segment.byte_range.is_some());
            let has_map = list.segments[0].map.is_some();
            assert_eq!(is_media, has_map, "{name}");
            assert!(list.version.unwrap() >= 6, "{name}");
        }
    }
}

#[test]
fn each_rendition_has_key_frames_for_fast_forward() {
    let [complete, _] = all();
    let key_frames = complete
        .master
        .variants
        .iter()
        .filter(|variant| variant.is_i_frame);
    let sizes = |variant: &VariantStream| variant.resolution.unwrap();
    let found: Vec<_> = key_frames.clone().map(sizes).collect();
    let expected: Vec<_> = complete.variants().into_iter().map(sizes).collect();
    assert_eq!(found, expected);
    for variant in key_frames {
        assert!((complete.media)(&variant.uri).i_frames_only);
    }
}

#[test]
fn tracks_of_sound_have_one_default_names_and_channels() {
    for playlists in all() {
        let tracks = playlists.tracks(AlternativeMediaType::Audio);
        assert_eq!(tracks.iter().filter(|track| track.default).count(), 1);
        for track in &tracks {
            assert!(track.channels.is_some(), "{track:?}");
            assert_eq!(tracks.iter().filter(|other| other.name == track.name).count(), 1);
            // A default track is chosen automatically.
            assert!(track.autoselect || !track.default, "{track:?}");
        }
        for variant in playlists.variants() {
            assert_eq!(variant.audio.as_deref(), Some(&*tracks[0].group_id));
        }
    }
}

#[test]
fn captions_are_web_vtt_with_names_and_forced_ones_are_chosen_automatically() {
    for playlists in all() {
        let tracks = playlists.tracks(AlternativeMediaType::Subtitles);
        assert!(!tracks.is_empty());
        for track in &tracks {
            assert_eq!(tracks.iter().filter(|other| other.name == track.name).count(), 1);
            assert!(track.language.is_some(), "{track:?}");
            assert!(track.autoselect || !track.forced, "{track:?}");
            let list = (playlists.media)(track.uri.as_deref().unwrap());
            assert!(list.segments.iter().all(|segment| segment.uri.ends_with(".vtt")));
        }
        for variant in playlists.variants() {
            assert_eq!(variant.subtitles.as_deref(), Some(&*tracks[0].group_id));
        }
    }
}
