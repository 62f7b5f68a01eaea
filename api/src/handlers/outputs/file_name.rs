//! The file name of a download, in the header `Content-Disposition` (RFC 6266).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest part of the source's name in a file name, in bytes. File systems allow 255 for the complete name.
const MAX_STEM: usize = 200;
/// Characters that are percent-encoded in `filename*`: all but `attr-char` of RFC 8187, section 3.2.1.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The header's value, of this kind (`inline`, `attachment`), for an output: `holiday-480p.mp4` for the output `480p.mp4` of
/// `holiday.mov`.
///
/// A name that is not plain ASCII is in `filename*`, and `filename` has its ASCII characters for old clients (RFC 6266,
/// appendix D).
pub(super) fn disposition(kind: &str, source: &str, output: &str) -> String {
    let stem = source.rsplit_once('.').map_or(source, |(stem, _)| stem);
    let exact = named(stem, output, is_safe);
    let plain = named(stem, output, |c| {
        is_safe(c) && (c.is_ascii_alphanumeric() || "-_.".contains(c))
    });
    match exact == plain {
        true => format!("{kind}; filename=\"{plain}\""),
        false => {
            let exact = utf8_percent_encode(&exact, ENCODED);
            format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}")
        }
    }
}

/// The name of the output behind the accepted characters of the source's name.
fn named(stem: &str, output: &str, is_accepted: impl Fn(char) -> bool) -> String {
    let (mut name, mut length) = (String::new(), 0);
    for c in stem.chars().filter(|c| is_accepted(*c)) {
        length += c.len_utf8();
        if length > MAX_STEM {
            break;
        }
        name.push(c);
    }
    // A leading dot would hide the file.
    match name.trim_start_matches(['.', ' ']).trim_end() {
        "" => output.to_owned(),
        name => format!("{name}-{output}"),
    }
}

/// False for characters that end a header or a quoted text, that separate folders, and that reverse the shown order of a
/// name's characters (Unicode, bidirectional formatting characters).
fn is_safe(c: char) -> bool {
    !c.is_control() && !matches!(c, '"' | '/' | '\\' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;

    fn check(source: &str, expected: &str) {
        let value = disposition("inline", source, "480p.mp4");
        assert_eq!(value, format!("inline; {expected}"), "{source}");
    }

    #[test]
    fn downloads_are_named_after_their_source() {
        check("holiday.mov", r#"filename="holiday-480p.mp4""#);
        check("take.2_b.mov", r#"filename="take.2_b-480p.mp4""#);
        check("", r#"filename="480p.mp4""#);
        check(".mov", r#"filename="480p.mp4""#);
        check(".hidden.mov", r#"filename="hidden-480p.mp4""#);
        check(
            "休日.mp4",
            r#"filename="480p.mp4"; filename*=UTF-8''%E4%BC%91%E6%97%A5-480p.mp4"#,
        );
        check(
            "Été à la mer.mov",
            r#"filename="tlamer-480p.mp4"; filename*=UTF-8''%C3%89t%C3%A9%20%C3%A0%20la%20mer-480p.mp4"#,
        );
        check(
            "a (1) 50%.mov",
            r#"filename="a150-480p.mp4"; filename*=UTF-8''a%20%281%29%2050%25-480p.mp4"#,
        );
        check(
            "it's; x=y.mov",
            r#"filename="itsxy-480p.mp4"; filename*=UTF-8''it%27s%3B%20x%3Dy-480p.mp4"#,
        );
        check("../../etc/pass\"wd\r\n.mp4", r#"filename="etcpasswd-480p.mp4""#);
        check("a\u{202e}gpj.mp4", r#"filename="agpj-480p.mp4""#);
    }

    #[test]
    fn names_are_bounded_at_a_character() {
        let name = disposition("inline", &"é".repeat(255), "480p.mp4");
        let (_, exact) = name.split_once("''").unwrap();
        let exact = percent_decode_str(exact).decode_utf8().unwrap();
        assert_eq!(exact, format!("{}-480p.mp4", "é".repeat(MAX_STEM / 2)));
        let plain = format!("inline; filename=\"{}-480p.mp4\"", "a".repeat(MAX_STEM));
        assert_eq!(disposition("inline", &"a".repeat(255), "480p.mp4"), plain);
    }

    proptest::proptest! {
        #[test]
        fn no_name_leaves_its_quotes(source in "\\PC*|[\\x00-\\x7f]*") {
            let value = disposition("attachment", &source, "480p.mp4");
            assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{value}");
            assert_eq!(value.matches('"').count(), 2, "{value}");
            assert!(value.len() < 1000, "{value}");
        }
    }
}
