//! Pages of lists. Where one ends is a cursor: text that clients hand back and do not look into.
//!
//! It names the last item, not a number of items, so that what is stored meanwhile moves nothing.

use crate::http::problem::Problem;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// Before the id: what the rest means. A later release may mean something else, and tells them apart.
const VERSION: u8 = 1;
/// Items on a page unless told, and at most.
const PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;

/// The number of items that a client wants on a page.
pub fn limit(wanted: Option<i64>) -> Result<u32, Problem> {
    let limit = wanted.map_or(Some(PAGE), |wanted| u32::try_from(wanted).ok());
    let limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| Problem::invalid(format!("limit must be 1 to {MAX_PAGE}")))
}

/// The page, and the cursor behind it; none on the last page. `found` has one item more if there is a next one.
pub fn page<T>(mut found: Vec<T>, limit: u32, id: impl Fn(&T) -> Uuid) -> (Vec<T>, Option<String>) {
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let cursor = found.last().filter(|_| more).map(|last| encode(id(last)));
    (found, cursor)
}

/// The cursor behind an item.
fn encode(last: Uuid) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The item that a client's cursor is behind.
pub fn parse(cursor: &str) -> Result<Uuid, Problem> {
    decode(cursor).ok_or_else(|| Problem::invalid("cursor is not one that a list gave"))
}

/// The item that a cursor is behind; none when it is no cursor.
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
    fn only_what_was_given_is_taken() {
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
        fn cursors_come_back_as_they_were(id in any::<u128>()) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(decode(&encode(id)), Some(id));
        }

        /// One id has one cursor, whatever else is sent.
        #[test]
        fn garbage_is_no_cursor(text in "\\PC{0,40}|[A-Za-z0-9_-]{20,26}") {
            if let Some(id) = decode(&text) {
                prop_assert_eq!(encode(id), text);
            }
        }
    }
}
