//! Pagination of lists. A page ends with a cursor: opaque text that the client returns to get the next page.
//!
//! A cursor names the last item instead of a position, so that items that are stored meanwhile do not shift the pages.

use crate::http::problem::Problem;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// First byte of a cursor: the version of its format.
const VERSION: u8 = 1;
/// Default number of items on a page.
const DEFAULT_PAGE: u32 = 20;
/// Maximum number of items on a page.
const MAX_PAGE: u32 = 100;

/// Checks the requested number of items on a page; 400 outside 1 to 100.
pub(crate) fn limit(wanted: Option<i64>) -> Result<u32, Problem> {
    let limit = wanted.map_or(Some(DEFAULT_PAGE), |wanted| u32::try_from(wanted).ok());
    let limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| Problem::invalid(format!("limit must be 1 to {MAX_PAGE}")))
}

/// Splits off a page, and returns the cursor of the next page if there is one. `found` contains one item more than
/// `limit` if another page follows.
pub(crate) fn page<T>(mut found: Vec<T>, limit: u32, id: impl Fn(&T) -> Uuid) -> (Vec<T>, Option<String>) {
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let cursor = found.last().filter(|_| more).map(|last| encode(id(last)));
    (found, cursor)
}

/// Encodes the cursor of the page after an item.
fn encode(last: Uuid) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The id of the last item before a client's cursor; 400 for an invalid cursor.
pub(crate) fn parse(cursor: &str) -> Result<Uuid, Problem> {
    decode(cursor).ok_or_else(|| Problem::invalid("cursor is invalid; use the `next_cursor` of a list"))
}

/// The id of the last item before a cursor; `None` for an invalid cursor.
fn decode(cursor: &str) -> Option<Uuid> {
    match URL_SAFE_NO_PAD.decode(cursor).ok()?.split_first()? {
        (&VERSION, id) => Uuid::from_slice(id).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_valid_cursors_are_accepted() {
        let cursor = encode(Uuid::now_v7());
        for wrong in [
            String::new(),
            "AQ".to_owned(),
            Uuid::now_v7().to_string(),
            format!("{cursor}A"),
            format!("{cursor}="),
            cursor[1..].to_owned(),
            // Another version.
            cursor.replacen("AQ", "Ag", 1),
        ] {
            assert_eq!(decode(&wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn cursors_survive_encoding_and_decoding(id in any::<u128>()) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(decode(&encode(id)), Some(id));
        }

        /// Each id has exactly one cursor.
        #[test]
        fn garbage_is_not_a_cursor(text in "\\PC{0,40}|[A-Za-z0-9_-]{20,26}") {
            if let Some(id) = decode(&text) {
                prop_assert_eq!(encode(id), text);
            }
        }
    }
}
