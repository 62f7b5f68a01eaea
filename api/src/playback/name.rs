//! Names and languages of tracks in playlists. Pure.

use vidp_contract::{StreamAudio, language_code, language_name};

/// An audio track with what players show.
pub(super) struct Named<'a> {
    /// The track.
    pub(super) audio: &'a StreamAudio,
    /// Its language, if it is known.
    pub(super) language: Option<&'a str>,
    /// Its name.
    pub(super) name: String,
    /// True for the default track.
    pub(super) is_main: bool,
    /// True for the first track of its language.
    pub(super) is_first: bool,
}

/// The audio tracks with their names, each name once: players list tracks by their name.
pub(super) fn named(tracks: &[StreamAudio]) -> Vec<Named<'_>> {
    let mut all: Vec<Named> = Vec::new();
    for (number, audio) in tracks.iter().enumerate() {
        let language = language(audio.language.as_deref());
        let plain = language.map_or_else(|| format!("Track {}", number + 1), name);
        let name = unique(plain, number, all.iter().map(|other| &*other.name));
        let is_main = number == 0;
        let is_first = all.iter().all(|other| other.language != language);
        all.push(Named {
            audio,
            language,
            name,
            is_main,
            is_first,
        });
    }
    all
}

/// The name of the track with this number from 0, which none of the others has.
pub(super) fn unique<'a>(plain: String, number: usize, mut others: impl Iterator<Item = &'a str>) -> String {
    match others.any(|other| other == plain) {
        true => format!("{plain} {}", number + 1),
        false => plain,
    }
}

/// The name of a language, or its code when it has none here.
pub(super) fn name(language: &str) -> String {
    let known = language_code(language).and_then(language_name);
    known.unwrap_or(language).to_owned()
}

/// The language of a track for a playlist (BCP 47): the shortest code, or what the source declares. `None` when it is not known.
pub(super) fn language(declared: Option<&str>) -> Option<&str> {
    let declared = declared.filter(|text| !text.eq_ignore_ascii_case("und"))?;
    let short = language_code(declared).filter(|_| !declared.contains('-'));
    Some(short.unwrap_or(declared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_their_shortest_code() {
        for (declared, expected) in [
            (Some("eng"), Some("en")),
            (Some("pt-BR"), Some("pt-BR")),
            (Some("und"), None),
            (Some("tlh"), Some("tlh")),
            (None, None),
        ] {
            assert_eq!(language(declared), expected, "{declared:?}");
        }
    }

    #[test]
    fn each_name_is_used_once() {
        let (set, _) = crate::playback::samples::stream();
        let track = |language: Option<&str>| StreamAudio {
            language: language.map(str::to_owned),
            ..set.audio[0].clone()
        };
        let tracks = [Some("en"), Some("eng"), None, Some("tlh"), Some("pt-BR")].map(track);
        let all = named(&tracks);
        let names: Vec<&str> = all.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["English", "English 2", "Track 3", "tlh", "Portuguese"]);
        assert!(all[0].is_main && !all[1].is_main);
        let first: Vec<bool> = all.iter().map(|one| one.is_first).collect();
        assert_eq!(first, [true, false, true, true, true]);
    }
}
