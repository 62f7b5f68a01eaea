use crate::http::etag::ETag;
use axum::body::Bytes;

/// Media type of playlists of HLS: RFC 8216, section 10.
const HLS: &str = "application/vnd.apple.mpegurl";

/// A text that a player asks for, with its entity tag.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// The text.
    pub(crate) bytes: Bytes,
    /// The tag of the bytes.
    pub(crate) tag: ETag,
}

impl Text {
    /// A text of this media type.
    pub(crate) fn new(content_type: &'static str, text: String) -> Text {
        Text {
            content_type,
            tag: ETag::of_bytes(text.as_bytes()),
            bytes: text.into(),
        }
    }

    /// A playlist of HLS.
    pub(crate) fn hls(text: String) -> Text {
        Text::new(HLS, text)
    }
}
