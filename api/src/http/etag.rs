//! Entity tags, and the conditions of requests on them (RFC 9110, sections 8.8.3 and 13.1).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};
use vidp_contract::hex;
use vidp_record::job::Job;

/// The entity tag of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ETag {
    /// True if representations with this tag may differ in their bytes, for example by compression.
    is_weak: bool,
    /// The text between the quotes: visible ASCII characters.
    opaque: String,
}

impl ETag {
    /// The strong tag of this text. Quotes and all but visible ASCII are omitted.
    pub(crate) fn strong(opaque: impl ToString) -> ETag {
        let mut opaque = opaque.to_string();
        opaque.retain(|c| c.is_ascii_graphic() && c != '"');
        ETag {
            is_weak: false,
            opaque,
        }
    }

    /// The tag of a job's current state.
    pub(crate) fn of_job(job: &Job) -> ETag {
        ETag::strong(job.rev)
    }

    /// The strong tag of these bytes: the beginning of their SHA-256.
    pub(crate) fn of_bytes(bytes: &[u8]) -> ETag {
        ETag::of_sha256(&Sha256::digest(bytes).into())
    }

    /// The strong tag of bytes with this SHA-256.
    pub(crate) fn of_sha256(sha256: &[u8; 32]) -> ETag {
        ETag::strong(&hex(sha256)[..16])
    }

    /// The weak tag of the same text.
    pub(crate) fn weak(self) -> ETag {
        ETag {
            is_weak: true,
            ..self
        }
    }

    /// The value of the header `ETag`.
    pub(crate) fn value(&self) -> HeaderValue {
        let weak = if self.is_weak { "W/" } else { "" };
        let value = HeaderValue::try_from(format!("{weak}\"{}\"", self.opaque));
        value.expect("the text of a tag is visible ASCII")
    }

    /// True if the client already has this representation, by `If-None-Match`: weak comparison, lists and `*` (RFC 9110,
    /// section 13.1.2). False without the header.
    pub(crate) fn is_known(&self, headers: &HeaderMap) -> bool {
        let condition = Condition::read(headers, header::IF_NONE_MATCH);
        condition.is_some_and(|condition| condition.lists(|tag| tag.opaque == self.opaque))
    }

    /// True if a request with `If-Match` is for this representation: strong comparison, lists and `*` (RFC 9110, section
    /// 13.1.1). True without the header.
    pub(crate) fn is_wanted(&self, headers: &HeaderMap) -> bool {
        let condition = Condition::read(headers, header::IF_MATCH);
        condition.is_none_or(|condition| condition.lists(|tag| self.is_same_bytes(tag)))
    }

    /// True if a range belongs to this representation, by `If-Range`: a single tag, strong comparison (RFC 9110, section
    /// 13.1.5). True without the header. False for a date, because no representation has `Last-Modified`.
    pub(crate) fn has_range(&self, headers: &HeaderMap) -> bool {
        headers.get(header::IF_RANGE).is_none_or(|value| {
            ETag::split(value.as_bytes())
                .is_some_and(|(tag, rest)| rest.is_empty() && self.is_same_bytes(&tag))
        })
    }

    /// Strong comparison (RFC 9110, section 8.8.3.2).
    fn is_same_bytes(&self, other: &ETag) -> bool {
        !self.is_weak && self == other
    }

    /// Parses the tag at the beginning of a header's value; returns it with the rest.
    fn split(text: &[u8]) -> Option<(ETag, &[u8])> {
        let (is_weak, quoted) = match text.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let length = inner.iter().take_while(|byte| is_opaque(**byte)).count();
        let rest = inner[length..].strip_prefix(b"\"")?;
        let opaque = String::from_utf8_lossy(&inner[..length]).into_owned();
        Some((ETag { is_weak, opaque }, rest))
    }
}

/// True for the bytes between the quotes of a tag: `etagc` of RFC 9110.
fn is_opaque(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

/// The value of `If-Match` or `If-None-Match`.
enum Condition {
    /// `*`: any representation.
    Any,
    /// The listed tags. A list ends at the first text that is no tag.
    Tags(Vec<ETag>),
}

impl Condition {
    /// Reads all lines of the header; `None` without the header.
    fn read(headers: &HeaderMap, name: HeaderName) -> Option<Condition> {
        let mut lines = headers.get_all(name).iter().peekable();
        lines.peek()?;
        let mut tags = Vec::new();
        for line in lines {
            if line.as_bytes().trim_ascii() == b"*" {
                return Some(Condition::Any);
            }
            let is_separator = |byte: &&u8| matches!(byte, b',' | b' ' | b'\t');
            let mut rest = line.as_bytes();
            loop {
                rest = &rest[rest.iter().take_while(is_separator).count()..];
                let Some((tag, behind)) = ETag::split(rest) else {
                    break;
                };
                tags.push(tag);
                rest = behind;
            }
        }
        Some(Condition::Tags(tags))
    }

    /// True if a listed tag meets `is_met`, or the condition is `*`.
    fn lists(&self, is_met: impl Fn(&ETag) -> bool) -> bool {
        match self {
            Condition::Any => true,
            Condition::Tags(tags) => tags.iter().any(is_met),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        let line = |line: &&str| (name.clone(), HeaderValue::from_bytes(line.as_bytes()).unwrap());
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_client_knows_a_representation_by_any_of_its_tags() {
        let check = |lines: &[&str], expected: bool| {
            let headers = headers(header::IF_NONE_MATCH, lines);
            for tag in [ETag::strong("3"), ETag::strong("3").weak()] {
                assert_eq!(tag.is_known(&headers), expected, "{tag:?} {lines:?}");
            }
        };
        check(&[], false);
        check(&["\"3\""], true);
        check(&["W/\"3\""], true);
        check(&["\"x\", \"3\""], true);
        check(&["\"x\",W/\"3\",\"y\""], true);
        check(&["\"x\" ,\t\"3\" "], true);
        check(&[", ,\"3\","], true);
        check(&["\"x\"", "\"3\""], true);
        check(&["*"], true);
        check(&[" * "], true);
        check(&["\"x\"", "*"], true);
        check(&["\"é\", \"3\""], true);
        check(&["\"4\""], false);
        check(&["\"x,\"3\""], false);
        check(&["\"a,3\""], false);
        check(&["w/\"3\""], false);
        check(&["3"], false);
        check(&["\"3"], false);
        check(&["\"*\""], false);
        check(&[""], false);
    }

    #[test]
    fn a_change_needs_the_same_bytes() {
        let check = |lines: &[&str], expected: bool| {
            let headers = headers(header::IF_MATCH, lines);
            assert_eq!(ETag::strong("3").is_wanted(&headers), expected, "{lines:?}");
        };
        check(&[], true);
        check(&["\"3\""], true);
        check(&["\"2\", \"3\""], true);
        check(&["*"], true);
        check(&["W/\"3\""], false);
        check(&["\"2\""], false);
        check(&["\"é\""], false);
        check(&["3"], false);
        check(&[""], false);
        let weak = headers(header::IF_MATCH, &["W/\"3\", \"3\""]);
        assert!(!ETag::strong("3").weak().is_wanted(&weak));
    }

    #[test]
    fn a_range_belongs_to_one_strong_tag() {
        let check = |lines: &[&str], expected: bool| {
            let headers = headers(header::IF_RANGE, lines);
            assert_eq!(ETag::strong("3").has_range(&headers), expected, "{lines:?}");
        };
        check(&[], true);
        check(&["\"3\""], true);
        check(&["W/\"3\""], false);
        check(&["\"3\", \"4\""], false);
        check(&["*"], false);
        check(&["Sun, 29 Nov 2026 10:00:00 GMT"], false);
    }

    proptest::proptest! {
        #[test]
        fn every_tag_is_found_in_a_list(tags in proptest::collection::vec("(W/)?\"[!#-~]{0,8}\"", 1..5), index: proptest::sample::Index) {
            let wanted = tags[index.index(tags.len())].trim_start_matches("W/").trim_matches('"');
            let known = headers(header::IF_NONE_MATCH, &[&tags.join(" , ")]);
            assert!(ETag::strong(wanted).is_known(&known));
        }
    }
}
