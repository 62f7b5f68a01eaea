//! Texts of headers in their character sets.

use encoding_rs::{Encoding, WINDOWS_1252};

/// The text of bytes in UTF-8 or, from clients that send another encoding, in Latin 1.
pub(super) fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// The text of bytes in this encoding; `None` when some do not belong to it.
pub(super) fn decoded(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.into_owned())
}
