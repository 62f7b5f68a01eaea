//! The languages that VidP can detect and transcribe, and the codes by which clients name them.

/// ISO 639-1 code (`haw` has none: ISO 639-2), English name and other codes of every language, in the order of Whisper's
/// language tokens.
///
/// The other codes, separated by spaces, are those of ISO 639-2 and 639-3, withdrawn ones, Whisper's own, and the most spoken
/// members of a macrolanguage (ISO 639-3), such as `nb` of `no` and `yue` of `zh`.
pub const LANGUAGES: &[(&str, &str, &str)] = &[
    ("en", "English", "eng"),
    ("zh", "Chinese", "zho chi cmn yue"),
    ("de", "German", "deu ger"),
    ("es", "Spanish", "spa"),
    ("ru", "Russian", "rus"),
    ("ko", "Korean", "kor"),
    ("fr", "French", "fra fre"),
    ("ja", "Japanese", "jpn"),
    ("pt", "Portuguese", "por"),
    ("tr", "Turkish", "tur"),
    ("pl", "Polish", "pol"),
    ("ca", "Catalan", "cat"),
    ("nl", "Dutch", "nld dut"),
    ("ar", "Arabic", "ara arb arz ary apc"),
    ("sv", "Swedish", "swe"),
    ("it", "Italian", "ita"),
    ("id", "Indonesian", "ind in"),
    ("hi", "Hindi", "hin"),
    ("fi", "Finnish", "fin"),
    ("vi", "Vietnamese", "vie"),
    ("he", "Hebrew", "heb iw"),
    ("uk", "Ukrainian", "ukr"),
    ("el", "Greek", "ell gre"),
    ("ms", "Malay", "msa may zsm"),
    ("cs", "Czech", "ces cze"),
    ("ro", "Romanian", "ron rum mo mol"),
    ("da", "Danish", "dan"),
    ("hu", "Hungarian", "hun"),
    ("ta", "Tamil", "tam"),
    ("no", "Norwegian", "nor nb nob"),
    ("th", "Thai", "tha"),
    ("ur", "Urdu", "urd"),
    ("hr", "Croatian", "hrv scr"),
    ("bg", "Bulgarian", "bul"),
    ("lt", "Lithuanian", "lit"),
    ("la", "Latin", "lat"),
    ("mi", "Maori", "mri mao"),
    ("ml", "Malayalam", "mal"),
    ("cy", "Welsh", "cym wel"),
    ("sk", "Slovak", "slk slo"),
    ("te", "Telugu", "tel"),
    ("fa", "Persian", "fas per pes prs"),
    ("lv", "Latvian", "lav lvs"),
    ("bn", "Bengali", "ben"),
    ("sr", "Serbian", "srp scc"),
    ("az", "Azerbaijani", "aze azj"),
    ("sl", "Slovenian", "slv"),
    ("kn", "Kannada", "kan"),
    ("et", "Estonian", "est ekk"),
    ("mk", "Macedonian", "mkd mac"),
    ("br", "Breton", "bre"),
    ("eu", "Basque", "eus baq"),
    ("is", "Icelandic", "isl ice"),
    ("hy", "Armenian", "hye arm"),
    ("ne", "Nepali", "nep npi"),
    ("mn", "Mongolian", "mon khk"),
    ("bs", "Bosnian", "bos"),
    ("kk", "Kazakh", "kaz"),
    ("sq", "Albanian", "sqi alb als"),
    ("sw", "Swahili", "swa swh"),
    ("gl", "Galician", "glg"),
    ("mr", "Marathi", "mar"),
    ("pa", "Punjabi", "pan"),
    ("si", "Sinhala", "sin"),
    ("km", "Khmer", "khm"),
    ("sn", "Shona", "sna"),
    ("yo", "Yoruba", "yor"),
    ("so", "Somali", "som"),
    ("af", "Afrikaans", "afr"),
    ("oc", "Occitan", "oci"),
    ("ka", "Georgian", "kat geo"),
    ("be", "Belarusian", "bel"),
    ("tg", "Tajik", "tgk"),
    ("sd", "Sindhi", "snd"),
    ("gu", "Gujarati", "guj"),
    ("am", "Amharic", "amh"),
    ("yi", "Yiddish", "yid ji ydd"),
    ("lo", "Lao", "lao"),
    ("uz", "Uzbek", "uzb uzn"),
    ("fo", "Faroese", "fao"),
    ("ht", "Haitian Creole", "hat"),
    ("ps", "Pashto", "pus pbt pbu"),
    ("tk", "Turkmen", "tuk"),
    ("nn", "Nynorsk", "nno"),
    ("mt", "Maltese", "mlt"),
    ("sa", "Sanskrit", "san"),
    ("lb", "Luxembourgish", "ltz"),
    ("my", "Myanmar", "mya bur"),
    ("bo", "Tibetan", "bod tib"),
    ("tl", "Tagalog", "tgl fil"),
    ("mg", "Malagasy", "mlg plt"),
    ("as", "Assamese", "asm"),
    ("tt", "Tatar", "tat"),
    ("haw", "Hawaiian", ""),
    ("ln", "Lingala", "lin"),
    ("ha", "Hausa", "hau"),
    ("ba", "Bashkir", "bak"),
    ("jv", "Javanese", "jav jw"),
    ("su", "Sundanese", "sun"),
];

/// The English name of the language with this code; `None` for an unknown code.
pub fn language_name(code: &str) -> Option<&'static str> {
    let found = LANGUAGES.iter().find(|(known, ..)| *known == code);
    found.map(|(_, name, _)| *name)
}

/// The code in [`LANGUAGES`] of a language that a client names by any of its codes or by a BCP 47 tag: `pt` for `pt-BR`, `por`
/// and `PT_br`. `None` for an unknown language and for text that is no tag.
///
/// Script, region and variants (RFC 5646, section 2.1) do not change the spoken language, so they are ignored.
pub fn language_code(tag: &str) -> Option<&'static str> {
    let mut subtags = tag.trim().split(['-', '_']);
    let primary = subtags.next()?.to_ascii_lowercase();
    let is_subtag =
        |text: &str| (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !subtags.all(is_subtag) {
        return None;
    }
    let known = LANGUAGES.iter().find(|(code, _, others)| {
        *code == primary || others.split_whitespace().any(|other| other == primary)
    });
    known.map(|(code, ..)| *code)
}

/// The code by which Whisper knows a language of [`LANGUAGES`]: Javanese has a code there that ISO 639 withdrew in 2001.
pub fn whisper_code(code: &str) -> &str {
    match code {
        "jv" => "jw",
        code => code,
    }
}

/// OpenAPI schema of a list of language codes.
#[cfg(feature = "openapi")]
pub(super) fn codes_schema() -> utoipa::openapi::schema::Array {
    utoipa::openapi::schema::Array::new(one_of(LANGUAGES.iter().map(|(code, ..)| *code)))
}

/// OpenAPI schema of a language code or `auto`.
#[cfg(feature = "openapi")]
pub(super) fn code_or_auto_schema() -> utoipa::openapi::schema::Object {
    one_of(std::iter::once("auto").chain(LANGUAGES.iter().map(|(code, ..)| *code)))
}

#[cfg(feature = "openapi")]
fn one_of(values: impl Iterator<Item = &'static str>) -> utoipa::openapi::schema::Object {
    utoipa::openapi::schema::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(values))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_have_names() {
        assert_eq!(LANGUAGES.len(), 99);
        assert_eq!(language_name("fr"), Some("French"));
        assert_eq!(language_name("haw"), Some("Hawaiian"));
        assert_eq!(language_name("jv"), Some("Javanese"));
        assert_eq!(language_name("auto"), None);
    }

    #[test]
    fn no_code_has_two_meanings() {
        let codes = LANGUAGES
            .iter()
            .flat_map(|(code, _, others)| std::iter::once(*code).chain(others.split_whitespace()));
        let codes: Vec<_> = codes.collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        for code in codes {
            assert!(
                (2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_lowercase()),
                "{code}"
            );
        }
    }

    #[test]
    fn clients_name_languages_by_many_codes() {
        let check = |tag: &str, expected: Option<&str>| assert_eq!(language_code(tag), expected, "{tag:?}");
        check("fr", Some("fr"));
        check("EN", Some("en"));
        check("en-US", Some("en"));
        check("pt-BR", Some("pt"));
        check("pt_br", Some("pt"));
        check("zh-CN", Some("zh"));
        check("zh-Hant", Some("zh"));
        check("zh-Hans-CN", Some("zh"));
        check("zh-yue-HK", Some("zh"));
        check("es-419", Some("es"));
        check("de-CH-1996", Some("de"));
        check("sl-rozaj-biske-1994", Some("sl"));
        check("en-u-ca-gregory", Some("en"));
        check(" fr ", Some("fr"));
        // ISO 639-2 has two codes of some languages, of libraries and of the language itself.
        check("eng", Some("en"));
        check("deu", Some("de"));
        check("ger", Some("de"));
        check("fre", Some("fr"));
        check("cze", Some("cs"));
        check("haw", Some("haw"));
        // Withdrawn codes, which browsers and Java still send, and Whisper's.
        check("iw", Some("he"));
        check("in-ID", Some("id"));
        check("ji", Some("yi"));
        check("mo", Some("ro"));
        check("jv", Some("jv"));
        check("jw", Some("jv"));
        // Members of macrolanguages, as ISO 639-3 groups them.
        check("nb", Some("no"));
        check("nb-NO", Some("no"));
        check("nn", Some("nn"));
        check("fil", Some("tl"));
        check("yue", Some("zh"));
        check("cmn-Hans", Some("zh"));
        check("swh", Some("sw"));
        for unknown in [
            "",
            " ",
            "-",
            "xx",
            "auto",
            "und",
            "mul",
            "zxx",
            "tlh",
            "english",
            "e",
            "en-",
            "-en",
            "en--US",
            "en-US-",
            "en.UTF-8",
            "en-verylongsubtag",
            "en US",
            "fr,en",
            "i-klingon",
            "x-en",
            "\u{ff45}n",
            "en\0",
        ] {
            check(unknown, None);
        }
    }

    #[test]
    fn whisper_has_its_own_code_of_one_language() {
        let different = LANGUAGES.iter().filter(|(code, ..)| whisper_code(code) != *code);
        assert_eq!(different.map(|(code, ..)| *code).collect::<Vec<_>>(), ["jv"]);
        assert_eq!(whisper_code("jw"), "jw");
    }
}
