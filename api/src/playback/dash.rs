//! The manifest of DASH (ISO/IEC 23009-1), which is static: it describes a complete stream. Pure.

use super::{
    Captions, STORYBOARD,
    captions::{NamedCaptions, named_captions},
    hls::image_bandwidth,
    name::{Named, named},
    playlist::stem,
};
use vidp_contract::{StreamImages, StreamSet, StreamTrack, StreamVideo};

/// Bits a second of captions, as a player counts them. They are small.
const CAPTIONS_BANDWIDTH: u64 = 1000;

/// The manifest.
pub(crate) fn manifest(set: &StreamSet, captions: &[Captions]) -> String {
    let duration = set.duration();
    let longest = set.tracks().map(StreamTrack::longest).fold(1.0, f64::max);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT{duration:.3}S\" minBufferTime=\"PT{longest:.3}S\">\n<Period id=\"0\" start=\"PT0S\">\n"
    );
    // A copied rendition may have other segments, so that it has another set.
    let is_aligned = |one: &StreamVideo, other: &StreamVideo| {
        let (one, other) = (&one.track, &other.track);
        let segments = one.segments.iter().zip(&other.segments);
        (one.timescale, one.start, one.segments.len()) == (other.timescale, other.start, other.segments.len())
            && segments
                .into_iter()
                .all(|(one, other)| one.duration == other.duration)
    };
    let mut sets: Vec<Vec<&StreamVideo>> = Vec::new();
    for video in &set.video {
        match sets.iter_mut().find(|set| is_aligned(set[0], video)) {
            Some(set) => set.push(video),
            None => sets.push(vec![video]),
        }
    }
    let ids: Vec<String> = (1..=sets.len()).map(|number| number.to_string()).collect();
    for (videos, id) in sets.iter().zip(&ids) {
        let others: Vec<&str> = ids
            .iter()
            .filter(|other| *other != id)
            .map(String::as_str)
            .collect();
        text.push_str(&pictures(videos, id, &others));
    }
    for track in named(&set.audio) {
        text.push_str(&sound(&track));
    }
    for NamedCaptions { captions, name, .. } in named_captions(captions) {
        let role = match (captions.is_forced, captions.has_sounds) {
            (true, _) => "forced-subtitle",
            (_, true) => "caption",
            _ => "subtitle",
        };
        text.push_str(&format!(
            "<AdaptationSet contentType=\"text\" mimeType=\"text/vtt\"{}>\n\
             <Label>{name}</Label>\n<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"{role}\"/>\n\
             <Representation id=\"{}\" bandwidth=\"{CAPTIONS_BANDWIDTH}\"><BaseURL>{}</BaseURL></Representation>\n\
             </AdaptationSet>\n",
            language_attribute(captions.language.as_deref()),
            captions.list(),
            captions.file,
        ));
    }
    if let Some(images) = &set.images {
        text.push_str(&storyboard(images));
    }
    text + "</Period>\n</MPD>\n"
}

/// Renditions with the same segments.
fn pictures(videos: &[&StreamVideo], id: &str, others: &[&str]) -> String {
    let mut text = format!(
        "<AdaptationSet id=\"{id}\" contentType=\"video\" mimeType=\"video/mp4\" subsegmentAlignment=\"true\" subsegmentStartsWithSAP=\"1\">\n"
    );
    if !others.is_empty() {
        text.push_str(&format!(
            "<SupplementalProperty schemeIdUri=\"urn:mpeg:dash:adaptation-set-switching:2016\" value=\"{}\"/>\n",
            others.join(","),
        ));
    }
    for video in videos {
        let (_, peak) = video.track.bandwidth();
        text.push_str(&format!(
            "<Representation id=\"{}\" codecs=\"{}\" bandwidth=\"{peak}\" width=\"{}\" height=\"{}\" frameRate=\"{}\">\n",
            stem(&video.track), video.track.codec, video.width, video.height, rate(video.fps),
        ));
        text.push_str(&file(&video.track));
        text.push_str("</Representation>\n");
    }
    text + "</AdaptationSet>\n"
}

/// An audio track.
fn sound(
    Named {
        audio,
        language,
        name,
        is_main,
        ..
    }: &Named,
) -> String {
    let (_, peak) = audio.track.bandwidth();
    let role = if *is_main { "main" } else { "alternate" };
    let mut text = format!(
        "<AdaptationSet contentType=\"audio\" mimeType=\"audio/mp4\" subsegmentAlignment=\"true\" subsegmentStartsWithSAP=\"1\"{}>\n\
         <Label>{name}</Label>\n<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"{role}\"/>\n\
         <Representation id=\"{}\" codecs=\"{}\" bandwidth=\"{peak}\">\n\
         <AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" value=\"{}\"/>\n",
        language_attribute(*language),
        stem(&audio.track),
        audio.track.codec,
        audio.channels,
    );
    text.push_str(&file(&audio.track));
    text + "</Representation>\n</AdaptationSet>\n"
}

/// The file of a track, whose index names the segments.
fn file(track: &StreamTrack) -> String {
    let StreamTrack {
        name,
        timescale,
        init,
        index,
        ..
    } = track;
    format!(
        "<BaseURL>{name}</BaseURL>\n<SegmentBase timescale=\"{timescale}\" indexRange=\"{init}-{}\">\
         <Initialization range=\"0-{}\"/></SegmentBase>\n",
        init + index - 1,
        init - 1,
    )
}

/// The storyboard (DASH-IF Interoperability Points 4.3, section 6.2.6): one image with tiles.
fn storyboard(images: &StreamImages) -> String {
    let StreamImages {
        columns,
        rows,
        width,
        height,
        interval,
        ..
    } = images;
    let seconds = interval * f64::from(columns * rows);
    format!(
        "<AdaptationSet contentType=\"image\" mimeType=\"image/jpeg\">\n\
         <SegmentTemplate media=\"{STORYBOARD}\" timescale=\"1000\" duration=\"{:.0}\" startNumber=\"1\"/>\n\
         <Representation id=\"storyboard\" bandwidth=\"{}\" width=\"{}\" height=\"{}\">\n\
         <EssentialProperty schemeIdUri=\"http://dashif.org/guidelines/thumbnail_tile\" value=\"{columns}x{rows}\"/>\n\
         </Representation>\n</AdaptationSet>\n",
        seconds * 1000.0,
        image_bandwidth(images),
        columns * width,
        rows * height,
    )
}

/// A frame rate as DASH writes it: a whole number, or a fraction.
fn rate(fps: f64) -> String {
    let ntsc = (fps * 1.001).round();
    if (fps - fps.round()).abs() < 1e-6 && fps >= 1.0 {
        format!("{fps:.0}")
    } else if (ntsc / 1.001 - fps).abs() < 1e-3 && ntsc >= 1.0 {
        format!("{}/1001", ntsc * 1000.0)
    } else {
        format!("{:.0}/1000", fps * 1000.0)
    }
}

fn language_attribute(language: Option<&str>) -> String {
    language.map_or_else(String::new, |language| format!(" lang=\"{language}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playback::samples::stream;

    #[test]
    fn the_manifest_is_that_of_the_golden_file() {
        let (set, captions) = stream();
        assert_eq!(
            manifest(&set, std::slice::from_ref(&captions)),
            include_str!("golden/manifest.mpd")
        );
    }

    #[test]
    fn renditions_with_other_segments_have_a_set_of_their_own() {
        let (mut set, _) = stream();
        let sets = |set: &StreamSet| manifest(set, &[]).matches("contentType=\"video\"").count();
        set.video.push(set.video[0].clone());
        assert_eq!(sets(&set), 1);
        set.video[1].track.segments[0].duration += 1;
        assert_eq!(sets(&set), 2);
        assert!(manifest(&set, &[]).contains("adaptation-set-switching:2016\" value=\"2\""));
    }

    #[test]
    fn frame_rates_are_whole_numbers_or_fractions() {
        for (fps, expected) in [
            (25.0, "25"),
            (60_000.0 / 1001.0, "60000/1001"),
            (23.976, "24000/1001"),
            (18.3, "18300/1000"),
            (0.5, "500/1000"),
        ] {
            assert_eq!(rate(fps), expected);
        }
    }
}
