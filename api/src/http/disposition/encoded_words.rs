//! Encoded words of e-mail, `=?utf-8?B?w6k=?=` (RFC 2047), in which some HTTP clients write file names.

use super::charset::decoded;
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use encoding_rs::Encoding;

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A run of text, or of neighbouring encoded words with one character set. A character may be divided between words.
enum Run {
    Text(String),
    Words(&'static Encoding, Vec<u8>),
}

/// The text with its encoded words decoded; `None` when it contains none, or one that cannot be decoded.
pub(super) fn decode(text: &str) -> Option<String> {
    let (mut runs, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find("=?") {
        let (before, word) = rest.split_at(start);
        let (encoding, bytes, behind) = split_word(word)?;
        // White space between two encoded words is no part of the text (section 6.2).
        let is_neighbour = before.trim().is_empty() && !runs.is_empty();
        if !before.is_empty() && !is_neighbour {
            runs.push(Run::Text(before.to_owned()));
        }
        match runs.last_mut() {
            Some(Run::Words(before, known)) if *before == encoding => known.extend(bytes),
            _ => runs.push(Run::Words(encoding, bytes)),
        }
        rest = behind;
    }
    if runs.is_empty() {
        return None;
    }
    runs.push(Run::Text(rest.to_owned()));
    let texts = runs.into_iter().map(|run| match run {
        Run::Text(text) => Some(text),
        Run::Words(encoding, bytes) => decoded(encoding, &bytes),
    });
    texts.collect()
}

/// Splits off the encoded word at the beginning of `text`: its character set, its bytes, and the rest.
fn split_word(text: &str) -> Option<(&'static Encoding, Vec<u8>, &str)> {
    let (charset, text) = text.strip_prefix("=?")?.split_once('?')?;
    let (method, text) = text.split_once('?')?;
    let (content, rest) = text.split_once("?=")?;
    // A language may follow the character set: RFC 2231, section 5.
    let charset = charset.split('*').next().unwrap_or_default();
    let bytes = match method {
        "B" | "b" => BASE64.decode(content.trim()).ok()?,
        "Q" | "q" => quoted(content)?,
        _ => return None,
    };
    Some((Encoding::for_label(charset.as_bytes())?, bytes, rest))
}

/// Decodes the method Q (section 4.2): `=C3` is a byte, an underscore is a space.
fn quoted(content: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), content.as_bytes());
    while let [first, behind @ ..] = rest {
        rest = behind;
        bytes.push(match first {
            b'=' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?
            }
            b'_' => b' ',
            other => *other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded_as_e_mail_has_them() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(decode(text).as_deref(), expected, "{text}");
        check("=?utf-8?B?w6k=?=", Some("é"));
        check("=?UTF-8?b?w6k?=", Some("é"));
        check("=?utf-8?Q?caf=C3=A9_1?=", Some("café 1"));
        check("=?iso-8859-1?q?caf=E9?=.mp4", Some("café.mp4"));
        check("=?Shift_JIS?B?i3iT+g==?=", Some("休日"));
        check("=?utf-8*en?Q?a?=", Some("a"));
        check("a =?utf-8?Q?b?= c", Some("a b c"));
        check("=?utf-8?Q?a?= =?utf-8?Q?b?=", Some("ab"));
        check("=?utf-8?Q?=C3?=\t=?utf-8?Q?=A9?=", Some("é"));
        check("=?utf-8?Q??=", Some(""));
        check("a.mp4", None);
        check("why=?.mp4", None);
        check("=?utf-8?Q?=C3?=", None);
        check("=?utf-8?Q?=C?=", None);
        check("=?utf-8?Q?=+1?=", None);
        check("=?none?Q?a?=", None);
        check("=?utf-8?B?*?=", None);
        check("=?utf-8?B?w6k=", None);
    }
}
