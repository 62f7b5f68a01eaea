//! Playlists of HLS (RFC 8216, and its second edition draft-pantos-hls-rfc8216bis for image tracks). Pure.

use super::{
    Captions, STORYBOARD,
    captions::{NamedCaptions, named_captions},
    name::{Named, named},
    playlist::{VOD, finish, head, init_segment, ranges, stem, text},
};
use vidp_contract::{Segment, StreamAudio, StreamImages, StreamSet, StreamTrack, StreamVideo};

/// Name of the playlist of the storyboard.
const IMAGES_LIST: &str = "storyboard";
/// Characteristics of captions that describe sounds too (draft-pantos-hls-rfc8216bis, section 4.4.6.1).
const SDH: &str =
    "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound";
/// Begins the name of a playlist of key frames.
const KEY_FRAMES: &str = "keyframes-";
/// Group of audio tracks, of captions, and of the closed captions inside the pictures.
const AUDIO: &str = "audio";
const TEXT: &str = "captions";
const CLOSED: &str = "closed";

/// The list of all tracks, which a player opens first. It names playlists of [`media`]. `is_closed_captioned` says that the pictures have
/// closed captions inside.
pub(crate) fn master(set: &StreamSet, captions: &[Captions], is_closed_captioned: bool) -> String {
    let mut lines = tracks(set, captions, Some(is_closed_captioned), "", |_| 0);
    for video in &set.video {
        let (mean, peak) = video.track.key_frame_bandwidth();
        lines.push(format!(
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={mean},CODECS=\"{}\",RESOLUTION={}x{},URI=\"{KEY_FRAMES}{}.m3u8\"",
            video.track.codec, video.width, video.height, stem(&video.track),
        ));
    }
    if let Some(images) = &set.images {
        let StreamImages { width, height, .. } = images;
        lines.push(format!(
            "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH={},RESOLUTION={width}x{height},CODECS=\"jpeg\",URI=\"{IMAGES_LIST}.m3u8\"",
            image_bandwidth(images),
        ));
    }
    text(&lines)
}

/// The lines of a list of tracks: pictures, sound and captions. The names of their playlists begin with `prefix`, and `least` is the
/// rate of a picture at least, in bits a second. `is_closed_captioned` is `None` while it is not known.
pub(super) fn tracks(
    set: &StreamSet,
    captions: &[Captions],
    is_closed_captioned: Option<bool>,
    prefix: &str,
    least: fn(&StreamVideo) -> u64,
) -> Vec<String> {
    let mut lines: Vec<String> = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
        .map(String::from)
        .into();
    for Named {
        audio,
        language,
        name,
        is_main,
        is_first,
    } in named(&set.audio)
    {
        // A player chooses by the language, so that only the first track of each may be chosen.
        let automatic = if is_first { "YES" } else { "NO" };
        let default = if is_main { "YES" } else { "NO" };
        lines.push(format!(
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{AUDIO}\",NAME=\"{name}\"{},DEFAULT={default},AUTOSELECT={automatic},CHANNELS=\"{}\",URI=\"{prefix}{}.m3u8\"",
            language_attribute(language),
            audio.channels,
            stem(&audio.track),
        ));
    }
    for NamedCaptions {
        captions,
        name,
        is_first,
    } in named_captions(captions)
    {
        let automatic = if is_first { "YES" } else { "NO" };
        // Forced captions must be chosen automatically.
        let forced = if captions.is_forced && is_first {
            "YES"
        } else {
            "NO"
        };
        let sounds = match captions.has_sounds {
            true => format!(",CHARACTERISTICS=\"{SDH}\""),
            false => String::new(),
        };
        lines.push(format!(
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"{TEXT}\",NAME=\"{name}\"{},DEFAULT=NO,AUTOSELECT={automatic},FORCED={forced}{sounds},URI=\"{prefix}{}.m3u8\"",
            language_attribute(captions.language.as_deref()),
            captions.list(),
        ));
    }
    if is_closed_captioned == Some(true) {
        lines.push(format!(
            "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"{CLOSED}\",NAME=\"Closed captions\",DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID=\"CC1\"",
        ));
    }
    // Without `NONE` players of Apple offer closed captions in any case.
    let closed = match is_closed_captioned {
        Some(true) => format!(",CLOSED-CAPTIONS=\"{CLOSED}\""),
        Some(false) => ",CLOSED-CAPTIONS=NONE".to_owned(),
        None => String::new(),
    };
    for video in &set.video {
        let entry = variant(video, &set.audio, !captions.is_empty(), least(video));
        lines.push(entry + &closed);
        lines.push(format!("{prefix}{}.m3u8", stem(&video.track)));
    }
    lines
}

/// The playlist of one track with this file name; `None` when the stream has none of this name.
pub(crate) fn media(set: &StreamSet, captions: &[Captions], file: &str) -> Option<String> {
    let name = file.strip_suffix(".m3u8")?;
    if let Some(captions) = captions.iter().find(|captions| captions.list() == name) {
        return Some(whole(&captions.file, set.duration()));
    }
    if let (IMAGES_LIST, Some(images)) = (name, &set.images) {
        return Some(storyboard(images, set.duration()));
    }
    let mut lines = head(target(set), VOD);
    if let Some(name) = name.strip_prefix(KEY_FRAMES) {
        let video = set.video.iter().find(|video| stem(&video.track) == name)?;
        // The first picture of each segment, for fast forward.
        lines.push("#EXT-X-I-FRAMES-ONLY".to_owned());
        return Some(segments(lines, &video.track, |segment| segment.first_sample));
    }
    let track = set.tracks().find(|track| stem(track) == name)?;
    Some(segments(lines, track, |segment| segment.size))
}

/// The entry of a rendition, without its URL.
fn variant(video: &StreamVideo, audio: &[StreamAudio], with_captions: bool, least: u64) -> String {
    let (mut mean, mut peak) = video.track.bandwidth();
    peak = peak.max(least);
    let rates = audio.iter().map(|audio| audio.track.bandwidth());
    mean = mean.saturating_add(rates.clone().map(|(mean, _)| mean).max().unwrap_or(0));
    peak = peak.saturating_add(rates.map(|(_, peak)| peak).max().unwrap_or(0));
    let mut codecs = video.track.codec.clone();
    for audio in audio {
        if !codecs.split(',').any(|codec| codec == audio.track.codec) {
            codecs.push(',');
            codecs.push_str(&audio.track.codec);
        }
    }
    let entry = format!(
        "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={mean},CODECS=\"{codecs}\",RESOLUTION={}x{},FRAME-RATE={:.3}",
        video.width, video.height, video.fps,
    );
    let sound = if audio.is_empty() {
        String::new()
    } else {
        format!(",AUDIO=\"{AUDIO}\"")
    };
    let captions = if with_captions {
        format!(",SUBTITLES=\"{TEXT}\"")
    } else {
        String::new()
    };
    entry + &sound + &captions
}

/// Appends the segments of a track, as ranges of its file, and ends the playlist.
fn segments(mut lines: Vec<String>, track: &StreamTrack, size: fn(&Segment) -> u64) -> String {
    lines.push(init_segment(&track.name, track.init));
    ranges(&mut lines, track, &track.name, size);
    finish(lines, true)
}

/// A playlist of one file that lasts as long as the stream.
fn whole(file: &str, seconds: f64) -> String {
    let mut lines = head(seconds.ceil() as u64, VOD);
    lines.extend([format!("#EXTINF:{seconds:.5},"), file.to_owned()]);
    finish(lines, true)
}

/// The storyboard: one image with tiles.
fn storyboard(images: &StreamImages, seconds: f64) -> String {
    let StreamImages {
        columns,
        rows,
        width,
        height,
        interval,
        ..
    } = images;
    let mut lines = head(seconds.ceil() as u64, VOD);
    lines.extend([
        "#EXT-X-IMAGES-ONLY".to_owned(),
        format!("#EXTINF:{seconds:.5},"),
        format!("#EXT-X-TILES:RESOLUTION={width}x{height},LAYOUT={columns}x{rows},DURATION={interval:.5}"),
        STORYBOARD.to_owned(),
    ]);
    finish(lines, true)
}

/// The longest segment of all tracks in seconds, rounded (RFC 8216, section 4.3.3.1).
fn target(set: &StreamSet) -> u64 {
    let longest = set.tracks().map(StreamTrack::longest).fold(1.0, f64::max);
    longest.round() as u64
}

/// The bits a second of a storyboard.
pub(super) fn image_bandwidth(images: &StreamImages) -> u64 {
    let tiles = f64::from(images.columns * images.rows);
    (images.size as f64 * 8.0 / (tiles * images.interval))
        .ceil()
        .max(1.0) as u64
}

fn language_attribute(language: Option<&str>) -> String {
    language.map_or_else(String::new, |language| format!(",LANGUAGE=\"{language}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::samples::stream;

    #[test]
    fn playlists_are_those_of_the_golden_files() {
        let (set, captions) = stream();
        let media = |file: &str| media(&set, std::slice::from_ref(&captions), file).unwrap();
        assert_eq!(
            master(&set, std::slice::from_ref(&captions), false),
            include_str!("golden/master.m3u8")
        );
        assert_eq!(media("720p.m3u8"), include_str!("golden/720p.m3u8"));
        assert_eq!(
            media("keyframes-720p.m3u8"),
            include_str!("golden/keyframes-720p.m3u8")
        );
        assert_eq!(media("audio-1.m3u8"), include_str!("golden/audio-1.m3u8"));
        assert_eq!(media("captions.m3u8"), include_str!("golden/captions.m3u8"));
        assert_eq!(media("storyboard.m3u8"), include_str!("golden/storyboard.m3u8"));
    }

    /// The playlist of segments with this name, read by another program.
    fn read(set: &StreamSet, file: &str) -> m3u8_rs::MediaPlaylist {
        let text = media(set, &[], file).unwrap();
        m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap()
    }

    #[test]
    fn another_reader_finds_the_same_stream() {
        let (set, captions) = stream();
        let text = master(&set, std::slice::from_ref(&captions), true);
        let master = m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
        let [variant, key_frames] = &master.variants[..] else {
            panic!("{:?}", master.variants)
        };
        assert_eq!((variant.uri.as_str(), variant.is_i_frame), ("720p.m3u8", false));
        assert_eq!(
            (key_frames.uri.as_str(), key_frames.is_i_frame),
            ("keyframes-720p.m3u8", true)
        );
        let resolution = variant.resolution.unwrap();
        assert_eq!((resolution.width, resolution.height), (1280, 720));
        assert_eq!(variant.codecs.as_deref(), Some("avc1.64001f,mp4a.40.2"));
        // The largest and the mean rate of the picture, and those of the sound.
        let sound = set.audio[0].track.bandwidth();
        assert_eq!(variant.bandwidth, 1_000_000 + sound.1);
        assert_eq!(variant.average_bandwidth, Some(800_000 + sound.0));
        assert_eq!(
            variant.closed_captions,
            Some(m3u8_rs::ClosedCaptionGroupId::GroupId("closed".to_owned()))
        );
        let [_, _, closed] = &master.alternatives[..] else {
            panic!("{:?}", master.alternatives)
        };
        assert_eq!(closed.media_type, m3u8_rs::AlternativeMediaType::ClosedCaptions);
        assert_eq!(closed.instream_id, Some(m3u8_rs::InstreamId::CC(1)));

        for (file, track) in [
            ("720p.m3u8", &set.video[0].track),
            ("audio-1.m3u8", &set.audio[0].track),
        ] {
            let list = read(&set, file);
            assert!(list.end_list && list.segments.len() == 3, "{file}");
            let mut next = track.init + track.index;
            for (found, segment) in list.segments.iter().zip(&track.segments) {
                let range = found.byte_range.as_ref().unwrap();
                assert_eq!((range.length, range.offset), (segment.size, Some(next)), "{file}");
                assert!(
                    (f64::from(found.duration) - track.seconds(segment.duration)).abs() < 1e-4,
                    "{file}"
                );
                assert!(
                    f64::from(found.duration).round() as u64 <= list.target_duration,
                    "{file}"
                );
                next += segment.size;
            }
            assert_eq!(list.segments[0].map.as_ref().unwrap().uri, track.name);
        }
        assert!(read(&set, "keyframes-720p.m3u8").i_frames_only);
    }

    #[test]
    fn the_subtitles_of_the_source_have_a_playlist_each() {
        let (set, captions) = stream();
        let track = |number, is_forced, has_sounds| Captions {
            file: format!("captions-{number}.vtt"),
            is_forced,
            has_sounds,
            ..captions.clone()
        };
        let all = [
            captions.clone(),
            track(1, true, false),
            track(2, false, true),
            track(3, true, false),
        ];
        let text = master(&set, &all, false);
        let master = m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
        let texts = master.alternatives.iter().filter(|one| one.group_id == TEXT);
        let texts: Vec<_> = texts
            .map(|one| {
                (
                    one.name.as_str(),
                    one.uri.as_deref().unwrap(),
                    one.autoselect,
                    one.forced,
                )
            })
            .collect();
        assert_eq!(
            texts,
            [
                ("English", "captions.m3u8", true, false),
                ("English (forced)", "captions-1.m3u8", true, true),
                ("English (SDH)", "captions-2.m3u8", true, false),
                ("English (forced) 4", "captions-3.m3u8", false, false),
            ]
        );
        assert_eq!(text.matches("describes-music-and-sound").count(), 1);
        let list = media(&set, &all, "captions-2.m3u8").unwrap();
        assert!(list.ends_with("\ncaptions-2.vtt\n#EXT-X-ENDLIST\n"), "{list}");
        assert_eq!(media(&set, &all, "captions-4.m3u8"), None);
    }

    #[test]
    fn a_stream_of_pictures_alone_names_no_sound_captions_or_images() {
        let (mut set, _) = stream();
        set.audio.clear();
        set.images = None;
        let master = master(&set, &[], false);
        for absent in ["TYPE=AUDIO", "AUDIO=", "SUBTITLES", "mp4a", "IMAGE"] {
            assert!(!master.contains(absent), "{absent}: {master}");
        }
        for file in [
            "captions.m3u8",
            "storyboard.m3u8",
            "audio-1.m3u8",
            "480p.m3u8",
            "720p",
            "keyframes-audio-1.m3u8",
        ] {
            assert_eq!(media(&set, &[], file), None, "{file}");
        }
    }
}
