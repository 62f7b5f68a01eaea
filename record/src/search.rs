//! Text in the form in which a search compares it.

use unicode_normalization::UnicodeNormalization;

/// Longest folded text, in characters. One character can become 18 (NFKC of U+FDFA).
const MAX_FOLDED: usize = 1024;

/// Folds a text for comparison: compatibility composition (NFKC), full case folding, without invisible characters.
///
/// Names that a reader takes for the same become equal: composed and decomposed accents, capitals, `STRASSE` and `straße`,
/// full-width letters, ligatures. The dotted and the dotless i of Turkish become `i`, because readers type either.
///
/// Lower case, upper case and lower case again is the full case folding of Unicode: `ß`, `ẞ` and `SS` become `ss`, every sigma
/// becomes `σ`. Each character is mapped by itself, so that a part of a name is folded like the complete name.
pub fn fold(text: &str) -> String {
    let mut before = None;
    let folded = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .filter(|c| !is_ignored(*c))
        // The capital İ becomes an i with a dot above.
        .filter(move |c| before.replace(*c) != Some('i') || *c != '\u{307}');
    folded.nfkc().take(MAX_FOLDED).collect()
}

/// True for invisible characters that a searcher does not type: soft hyphens, joiners, direction marks, variation selectors.
fn is_ignored(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_read_the_same_are_equal() {
        let check = |texts: &[&str]| {
            let folded: Vec<_> = texts.iter().map(|text| fold(text)).collect();
            assert!(
                folded.windows(2).all(|pair| pair[0] == pair[1]),
                "{texts:?}: {folded:?}"
            );
        };
        check(&[
            "Café 1.mp4",
            "Cafe\u{301} 1.mp4",
            "CAFÉ 1.MP4",
            "CAFE\u{301} 1.mp4",
        ]);
        check(&["straße", "STRASSE", "Strasse", "STRAẞE"]);
        check(&["İstanbul", "istanbul", "ISTANBUL", "ıstanbul", "I\u{307}stanbul"]);
        check(&["ＡＢＣ１．ｍｐ４", "abc1.mp4"]);
        check(&["ｶﾞ", "ガ", "カ\u{3099}"]);
        check(&["ΟΔΟΣ", "οδος", "οδοσ"]);
        check(&["ﬁlm", "film", "FILM"]);
        check(&["한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"]);
        check(&["ПРИВЕТ", "привет"]);
        check(&["ΐ", "Ϊ\u{301}", "ϊ\u{301}"]);
        check(&["ﬃ", "FFI"]);
        check(&["❤\u{fe0f}", "❤"]);
        check(&["می\u{200c}خواهم", "میخواهم"]);
        check(&["K", "k", "\u{212a}"]);
        check(&["µ", "μ", "Μ"]);
        check(&["և", "ԵՒ"]);
    }

    #[test]
    fn different_names_stay_different() {
        assert_ne!(fold("cafe"), fold("café"));
        assert_ne!(fold("休日"), fold("休曰"));
        assert_eq!(fold("a_b-1 (2).mp4"), "a_b-1 (2).mp4");
        assert_eq!(fold(""), "");
    }

    proptest::proptest! {
        #[test]
        fn the_folded_text_is_bounded_and_the_same_for_each_spelling(text in "\\PC{0,100}|\u{fdfa}{100}") {
            let folded = fold(&text);
            proptest::prop_assert!(folded.chars().count() <= MAX_FOLDED);
            proptest::prop_assert_eq!(fold(&text.nfd().to_string()), folded.clone());
            proptest::prop_assert_eq!(fold(&text.nfc().to_string()), folded);
        }
    }
}
