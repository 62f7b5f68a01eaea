//! Lines of playlists of HLS (RFC 8216). Pure.

use vidp_contract::{Segment, StreamTrack};

/// Values of `EXT-X-PLAYLIST-TYPE`: a complete list, and one to which segments are appended.
pub(super) const VOD: &str = "VOD";
pub(super) const EVENT: &str = "EVENT";

/// The head of a playlist of this type whose segments have at most `target` seconds.
pub(super) fn head(target: u64, kind: &str) -> Vec<String> {
    let target = format!("#EXT-X-TARGETDURATION:{target}");
    let kind = format!("#EXT-X-PLAYLIST-TYPE:{kind}");
    let lines = ["#EXTM3U", "#EXT-X-VERSION:7", &target, &kind];
    lines.map(String::from).into()
}

/// The line that names the init segment: the first `init` bytes of a file.
pub(super) fn init_segment(file: &str, init: u64) -> String {
    format!("#EXT-X-MAP:URI=\"{file}\",BYTERANGE=\"{init}@0\"")
}

/// Appends a range of `file` for each segment of a track. It begins with the segment and has `size` bytes.
pub(super) fn ranges(lines: &mut Vec<String>, track: &StreamTrack, file: &str, size: fn(&Segment) -> u64) {
    for (at, segment) in track.placed() {
        lines.push(format!("#EXTINF:{:.5},", track.seconds(segment.duration)));
        lines.push(format!("#EXT-X-BYTERANGE:{}@{at}", size(segment)));
        lines.push(file.to_owned());
    }
}

/// The text of a media playlist. `is_complete` ends it: no segments are appended later.
pub(super) fn finish(mut lines: Vec<String>, is_complete: bool) -> String {
    if is_complete {
        lines.push("#EXT-X-ENDLIST".to_owned());
    }
    text(&lines)
}

/// The text of a playlist.
pub(super) fn text(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

/// The name of a track without its extension, which is the name of its playlist.
pub(super) fn stem(track: &StreamTrack) -> &str {
    track.name.split_once('.').map_or(&*track.name, |(stem, _)| stem)
}
