//! The source of a job: the uploaded or fetched file, and how it arrives.

use mongodb::bson::DateTime;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;
use utoipa::ToSchema;
use vidp_contract::MediaFacts;

/// Longest stored content type, in characters.
const MAX_TYPE: usize = 100;
/// Longest stored file name, in characters.
const MAX_NAME: usize = 255;

/// The source in the job document.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SourceState {
    /// File name for display; never a path or a key.
    pub filename: String,
    /// Bytes. While the upload runs: the announced size, or 0.
    pub size: i64,
    /// Lower-case hexadecimal; empty while the upload runs.
    pub sha256: String,
    /// Content type that the client or the server stated.
    pub content_type: String,
    /// Facts about the media; set once a stage has probed the file.
    pub media: Option<MediaFacts>,
    /// Location from which the source is fetched; `None` for an upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Resumable uploads that make up the source, in order. Empty once the source is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Pieces>,
    /// SHA-256 that the client announced, in lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_sha256: Option<String>,
}

/// A direct upload: the client sends the source to the object store itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Direct {
    /// Announced size in bytes.
    pub size: i64,
    /// Id of the multipart upload; `None` for a file in one piece.
    pub upload_id: Option<String>,
    /// Time at which the upload expires.
    pub expires_at: DateTime,
}

/// The state of a source that is still to be fetched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fetch {
    /// Earliest time of the next try: the end of the running claim, or of the backoff after a failure.
    pub next_at: DateTime,
    /// Tries begun so far. The number identifies the try that holds the claim.
    pub tries: u32,
}

impl Fetch {
    /// Creates the state of a fetch that is due at once.
    pub fn new(now: DateTime) -> Self {
        Fetch {
            next_at: now,
            tries: 0,
        }
    }
}

/// Location from which a source is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Reference {
    /// An object of the same object store.
    Object {
        /// A bucket that the server's settings allow.
        bucket: String,
        /// The object's key, below the allowed prefix.
        key: String,
    },
    /// A file on a web server.
    Url {
        /// An `https` URL with a public address.
        #[schema(max_length = 1024, pattern = "^https?://")]
        url: String,
    },
}

impl Reference {
    /// Returns the last component of the path as a file name.
    pub fn file_name(&self) -> String {
        match self {
            Reference::Object { key, .. } => key.rsplit('/').next().unwrap_or_default().to_owned(),
            Reference::Url { url } => Url::parse(url)
                .ok()
                .and_then(|url| {
                    let last = url.path_segments()?.next_back()?;
                    Some(percent_decode_str(last).decode_utf8_lossy().into_owned())
                })
                .unwrap_or_default(),
        }
    }
}

impl Reference {
    /// Returns the reference for people and programs other than the fetcher: without the query and the fragment of a URL,
    /// which may hold a secret, as in a presigned URL.
    pub fn without_query(&self) -> Reference {
        match self {
            Reference::Url { .. } => Reference::Url {
                url: self.to_string(),
            },
            object => object.clone(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Object { bucket, key } => write!(f, "{bucket}/{key}"),
            Reference::Url { url } => f.write_str(url.split(['?', '#']).next().unwrap_or_default()),
        }
    }
}

/// A stored resumable upload and the expected hashes of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    /// The upload's id.
    pub upload: String,
    /// Bytes of every part but the last.
    pub part_size: i64,
    /// SHA-256 of each part, in lower-case hexadecimal.
    pub hashes: Vec<String>,
}

/// Cleans a content type from a client or server for use in headers and the record. Parameters that are too long are omitted.
pub fn plain_type(content_type: &str) -> String {
    let whole = match content_type.len() <= MAX_TYPE {
        true => content_type,
        false => content_type.split(';').next().unwrap_or_default(),
    };
    whole
        .chars()
        .filter(char::is_ascii_graphic)
        .take(MAX_TYPE)
        .collect()
}

/// Returns the last component of a client's file name without control characters. For display only, never a path or
/// key.
pub fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    match plain.trim() {
        "" | "." | ".." => "video".to_owned(),
        plain => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        assert_eq!(plain_name(name), expected);
    }

    #[test]
    fn names_of_files_are_plain() {
        check("holiday.mp4", "holiday.mp4");
        check("../../etc/passwd", "passwd");
        check("C:\\films\\a \"b\".mov", "a \"b\".mov");
        check("line\nbreak\r\0.mp4", "linebreak.mp4");
        check("🎬 été.mkv", "🎬 été.mkv");
        check("", "video");
        check("..", "video");
        check("a/", "video");
        check(&"é".repeat(300), &"é".repeat(255));
    }

    #[test]
    fn content_types_are_plain() {
        let check = |text: &str, expected: &str| assert_eq!(plain_type(text), expected, "{text:?}");
        check("video/mp4", "video/mp4");
        check(
            "video/webm; codecs=\"vp8, opus\"",
            "video/webm;codecs=\"vp8,opus\"",
        );
        check("video/mp4\r\nx: y", "video/mp4x:y");
        check(&format!("video/mp4; title={}", "a".repeat(100)), "video/mp4");
        check(&"a".repeat(101), &"a".repeat(100));
    }

    #[test]
    fn a_reference_is_one_of_two() {
        let read = |text: &str| serde_json::from_str::<Reference>(text).ok();
        let object = read(r#"{"bucket": "films", "key": "a/b.mp4"}"#).unwrap();
        assert_eq!(
            (object.file_name(), object.to_string()),
            ("b.mp4".into(), "films/a/b.mp4".into())
        );
        let url = read(r#"{"url": "https://example.com/a/b.mp4?token=secret"}"#).unwrap();
        assert_eq!(
            (url.file_name(), url.to_string()),
            ("b.mp4".into(), "https://example.com/a/b.mp4".into())
        );
        let named = read(r#"{"url": "https://example.com/%E4%BC%91%E6%97%A5%201.mp4"}"#).unwrap();
        assert_eq!(named.file_name(), "休日 1.mp4");
        assert_eq!(read(r#"{"url": "https://example.com/a", "key": "b"}"#), None);
        assert_eq!(read(r#"{"bucket": "films"}"#), None);
    }
}
