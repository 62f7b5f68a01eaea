//! Names and languages of tracks in playlists. Pure.

use vidp_contract::{language_code, language_name};

/// The language of a track for a playlist (BCP 47): the shortest code, or what the source declares. `None` when it is not known.
pub(super) fn language(declared: Option<&str>) -> Option<&str> {
    let declared = declared.filter(|text| !text.eq_ignore_ascii_case("und"))?;
    Some(language_code(declared).unwrap_or(declared))
}

/// The names of tracks with these languages, each once: players list tracks by their name.
pub(super) fn names<'a>(languages: impl Iterator<Item = Option<&'a str>>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (number, language) in languages.enumerate() {
        let known = language.and_then(language_code).and_then(language_name);
        let name = known
            .or(language)
            .map_or_else(|| format!("Track {}", number + 1), str::to_owned);
        let name = match names.contains(&name) {
            true => format!("{name} {}", number + 1),
            false => name,
        };
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_have_their_shortest_code() {
        for (declared, expected) in [
            (Some("eng"), Some("en")),
            (Some("pt-BR"), Some("pt")),
            (Some("und"), None),
            (Some("tlh"), Some("tlh")),
            (None, None),
        ] {
            assert_eq!(language(declared), expected, "{declared:?}");
        }
    }

    #[test]
    fn each_name_is_used_once() {
        let languages = [Some("en"), Some("en"), None, Some("tlh")].into_iter();
        assert_eq!(names(languages), ["English", "English 2", "Track 3", "tlh"]);
    }
}
