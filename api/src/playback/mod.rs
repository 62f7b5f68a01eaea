//! Playback of a job's stream without an API key: grants, playlists and what they need.
//!
//! A grant is a segment of the path, so that relative URLs carry it. `hls` and `dash` render the index of a complete stream, which
//! `scale` stores, and `growing` renders the indexes of the parts that can be played before. They are pure.

mod captions;
mod dash;
mod grant;
mod growing;
mod hls;
mod library;
mod name;
mod parts;
mod playlist;
#[cfg(test)]
mod rules;
mod text;

pub(crate) use captions::{Captions, has_closed_captions};
pub(crate) use dash::manifest;
pub(crate) use grant::{Granted, is_grant, sign};
pub(crate) use growing::Growing;
pub(crate) use hls::{master, media};
pub(crate) use library::Library;
pub(crate) use text::Text;

/// Files that playlists name, beside the tracks of the stream.
pub(crate) const CAPTIONS: &str = "subtitles.vtt";
/// The name of their playlist without its extension.
const CAPTIONS_LIST: &str = "captions";
pub(crate) const STORYBOARD: &str = "storyboard.jpg";
/// The playlist that a player of HLS opens, and the manifest for a player of DASH.
pub(crate) const MASTER: &str = "master.m3u8";
pub(crate) const MANIFEST: &str = "manifest.mpd";
/// Begins the names of a growing stream's playlists and pieces.
pub(crate) const GROWING: &str = "growing-";
/// A file without captions, in the playlist of captions of a growing stream.
pub(crate) const NO_CAPTIONS: &str = "growing-captions.vtt";

#[cfg(test)]
mod samples {
    use super::Captions;
    use vidp_contract::{StreamPart, StreamSet};

    /// The part of a growing stream in the contract's golden file.
    pub(super) fn part() -> StreamPart {
        serde_json::from_slice(include_bytes!("../../../contract/wire/stream-part.json")).unwrap()
    }

    /// The index of the contract's golden file, and English captions.
    pub(super) fn stream() -> (StreamSet, Captions) {
        let index = include_bytes!("../../../contract/wire/stream-set.json");
        let captions = Captions {
            file: super::CAPTIONS.to_owned(),
            language: Some("en".to_owned()),
            is_stored: true,
            ..Captions::default()
        };
        (StreamSet::read(index).unwrap(), captions)
    }
}
