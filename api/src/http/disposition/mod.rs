//! The header `Content-Disposition` of form parts, as clients write it (RFC 7578, section 4.2).

mod charset;
mod encoded_words;
mod parameters;

use axum::http::{HeaderMap, header};
use charset::{decoded, text};
use encoding_rs::Encoding;
use parameters::Parameters;
use percent_encoding::{percent_decode, percent_decode_str};
use std::borrow::Cow;

/// The names in the header of a form part.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Disposition {
    /// Name of the part; empty without one.
    pub(crate) name: String,
    /// Name of the file as the client shows it; `None` without one. It may be a path and contain control characters.
    pub(crate) filename: Option<String>,
}

impl Disposition {
    /// Reads the header of a part. A missing or unreadable header has no names.
    pub(crate) fn read(headers: &HeaderMap) -> Disposition {
        let Some(value) = headers.get(header::CONTENT_DISPOSITION) else {
            return Disposition::default();
        };
        let parameters = Parameters::parse(value.as_bytes());
        Disposition {
            name: parameters.get("name").map(text).unwrap_or_default(),
            // The form with a character set is exact, the plain form is often a fallback for old servers (RFC 6266, section 4.3).
            filename: parameters
                .get("filename*")
                .and_then(extended)
                .or_else(|| continued(&parameters))
                .or_else(|| parameters.get("filename").map(plain)),
        }
    }
}

/// The value of `filename`: text, possibly in encoded words of e-mail, percent-encoded, or with the escapes of browsers.
fn plain(value: &[u8]) -> String {
    let text = text(value);
    let encoded = encoded_words::decode(&text).or_else(|| percent_encoded(&text));
    // Browsers escape only these three characters, and not the percent sign (HTML, "multipart/form-data encoding algorithm").
    encoded.unwrap_or_else(|| {
        text.replace("%22", "\"")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
    })
}

/// Decodes a name that is percent-encoded as a whole, as aiohttp and `encodeURIComponent` do it.
///
/// `None` when it may be a name that contains a percent sign: when all of the escapes are of ASCII characters, or when it has
/// characters that these encoders escape.
fn percent_encoded(text: &str) -> Option<String> {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"%-_.~!*'()".contains(&byte);
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (text.bytes().all(is_kept) && !decoded.is_ascii()).then(|| decoded.into_owned())
}

/// The value of `filename*`: `UTF-8'en'%E2%82%AC.mp4` (RFC 8187, section 3.2). `None` if it cannot be decoded.
fn extended(value: &[u8]) -> Option<String> {
    let (encoding, bytes) = split_extended(value)?;
    decoded(encoding, &bytes)
}

/// The value of `filename*0`, `filename*1*` and so on: a long name in pieces (RFC 2231, section 3).
fn continued(parameters: &Parameters) -> Option<String> {
    /// Most pieces of a name.
    const MAX_PIECES: usize = 100;
    let (mut bytes, mut encoding) = (Vec::new(), None);
    for number in 0..MAX_PIECES {
        let name = format!("filename*{number}");
        match (parameters.get(&format!("{name}*")), parameters.get(&name)) {
            (Some(value), _) if number == 0 => {
                let (charset, piece) = split_extended(value)?;
                (bytes, encoding) = (piece.into_owned(), Some(charset));
            }
            (Some(value), _) => bytes.extend(percent_decode(value)),
            (None, Some(value)) => bytes.extend_from_slice(value),
            (None, None) => break,
        }
    }
    match encoding {
        Some(encoding) => decoded(encoding, &bytes),
        None => Some(text(&bytes)).filter(|text| !text.is_empty()),
    }
}

/// Splits `charset'language'percent-encoded` into the encoding and the decoded bytes.
fn split_extended(value: &[u8]) -> Option<(&'static Encoding, Cow<'_, [u8]>)> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, text) = (parts.next()?, parts.next()?, parts.next()?);
    Some((Encoding::for_label(charset)?, percent_decode(text).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use vidp_record::source::plain_name;

    fn read(value: &[u8]) -> Disposition {
        let value = HeaderValue::from_bytes(value).unwrap();
        Disposition::read(&HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value)]))
    }

    /// Checks the name that a job shows.
    fn check(parameters: impl AsRef<[u8]>, expected: &str) {
        let value = [b"form-data; name=\"file\"; ", parameters.as_ref()].concat();
        let read = read(&value);
        assert_eq!(read.name, "file", "{}", String::from_utf8_lossy(&value));
        let shown = plain_name(&read.filename.unwrap_or_default());
        assert_eq!(shown, expected, "{}", String::from_utf8_lossy(&value));
    }

    #[test]
    fn file_names_of_clients() {
        check(r#"filename="clip.mp4""#, "clip.mp4");
        check("filename=clip.mp4", "clip.mp4");
        check("filename=my clip.mp4 ", "my clip.mp4");
        check(r#"FileName = "clip.mp4""#, "clip.mp4");
        check("", "video");
        check(r#"filename="""#, "video");
        check(r#"filename="привет.mp4""#, "привет.mp4");
        check(b"filename=\"\xc9t\xe9.mp4\"", "Été.mp4");
        // Browsers, curl, and clients that escape nothing.
        check(r#"filename="a%22b;c.mp4""#, "a\"b;c.mp4");
        check(r#"filename="a%0D%0Ab 100%.mp4""#, "ab 100%.mp4");
        check(r#"filename="a%20b 100%25.mp4""#, "a%20b 100%25.mp4");
        check(r#"filename="a%20b.mp4""#, "a%20b.mp4");
        check(r#"filename="%D0%B0%20b%281%29.mp4""#, "а b(1).mp4");
        check(r#"filename="%D0%B0 b.mp4""#, "%D0%B0 b.mp4");
        check(r#"filename="%FF.mp4""#, "%FF.mp4");
        check(r#"filename="a\"b\\c.mp4""#, "c.mp4");
        check(r#"filename="a\"b.mp4""#, "a\"b.mp4");
        check(r#"filename="the "best" film.mp4""#, "the \"best\" film.mp4");
        check(r#"filename="a; filename=b.mp4""#, "a; filename=b.mp4");
        check(r#"filename="a; name=b.mp4"; x=y"#, "a; name=b.mp4");
        check(r#"filename="C:\films\x.mp4""#, "x.mp4");
        check(r#"filename="C:\\films\\x.mp4""#, "x.mp4");
        check(r#"filename="\\server\share\été.mp4""#, "été.mp4");
        check(r#"filename="it's = 50%.mp4""#, "it's = 50%.mp4");
    }

    #[test]
    fn file_names_with_a_character_set() {
        check("filename*=UTF-8''%D0%B0.mp4", "а.mp4");
        check("filename*=utf-8'ru'%D0%B0.mp4; filename=\"a.mp4\"", "а.mp4");
        check("filename=\"a.mp4\"; filename*=utf-8''%D0%B0.mp4", "а.mp4");
        check("filename*=\"UTF-8''%D0%B0.mp4\"", "а.mp4");
        check("filename*=iso-8859-1''%E9t%E9.mp4", "été.mp4");
        check("filename*=UTF-8''a%2Fb%5Cc.mp4", "c.mp4");
        // A form that cannot be decoded does not hide the other one.
        check("filename*=UTF-8''%FF.mp4; filename=\"a.mp4\"", "a.mp4");
        check("filename*=x-none''a; filename=\"a.mp4\"", "a.mp4");
        check("filename*=b.mp4; filename=\"a.mp4\"", "a.mp4");
        check(
            "filename*0*=UTF-8''%D0; filename*1*=%B0; filename*2=\".mp4\"",
            "а.mp4",
        );
        check("filename*0=\"long-\"; filename*1=\"name.mp4\"", "long-name.mp4");
        check("filename*1=\"b\"; filename=\"a.mp4\"", "a.mp4");
    }

    #[test]
    fn file_names_in_encoded_words() {
        check("filename=\"=?utf-8?B?0L/RgNC40LLQtdGCLm1wNA==?=\"", "привет.mp4");
        check(
            "filename=\"=?utf-8?B?0L/RgNC40LLQtdGCLm1wNA==?=\"; filename*=utf-8''%D0%B0.mp4",
            "а.mp4",
        );
        check("filename=\"=?UTF-8?Q?=C3=A9t=C3=A9_1.mp4?=\"", "été 1.mp4");
        check("filename==?utf-8?Q?a.mp4?=", "a.mp4");
        check("filename=\"=?utf-8?X?a?=.mp4\"", "=?utf-8?X?a?=.mp4");
    }

    #[test]
    fn parts_without_a_readable_header_have_no_names() {
        assert_eq!(Disposition::read(&HeaderMap::new()), Disposition::default());
        for value in ["", "form-data", "form-data; name", "form-data; =a; ;"] {
            assert_eq!(read(value.as_bytes()), Disposition::default(), "{value:?}");
        }
        assert_eq!(read(b"form-data; name=file").name, "file");
        assert_eq!(read("form-data; name=\"фото\"".as_bytes()).name, "фото");
    }

    proptest::proptest! {
        #[test]
        fn a_name_that_a_browser_sends_arrives(name in "[^/\\\\\\x00-\\x1f\\x7f-\\x9f]{1,40}") {
            // A browser's escapes have two meanings if the name itself contains them, and so has an encoded word.
            proptest::prop_assume!(!["%22", "%0D", "%0A", "=?"].iter().any(|text| name.contains(text)));
            let sent = format!("form-data; name=\"file\"; filename=\"{}\"", name.replace('"', "%22"));
            proptest::prop_assert_eq!(read(sent.as_bytes()).filename.unwrap(), name);
        }

        #[test]
        fn no_header_is_too_much(value in proptest::collection::vec(0x20_u8..0x7f, 0..80)) {
            read(&[b"form-data; filename*0*=".as_slice(), &value].concat());
        }
    }
}
