//! A batch as one JSON document. Its items stay text until they are read one by one: parsed values need up to forty times
//! the memory of their text.

use crate::http::{
    pace::{Pace, timely},
    problem::{Code, Problem},
};
use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use std::{collections::VecDeque, fmt};

/// Largest JSON document in bytes.
const MAX_DOCUMENT: usize = 16 << 20;
/// Most items of a batch.
pub(super) const MAX_ITEMS: u32 = 10_000;
/// Longest item, and longest options of a batch, in bytes.
pub(super) const MAX_ITEM: usize = 64 << 10;

/// A JSON document.
pub(super) struct Document {
    /// The bytes of the document.
    pub(super) bytes: Bytes,
    /// Name of the batch.
    pub(super) name: Option<String>,
    /// Options of all items; null when the document has none.
    pub(super) options: Value,
    /// The text of each item: a part of `bytes`.
    pub(super) items: VecDeque<Bytes>,
}

impl Document {
    /// Receives a document at the minimum rate, and finds its items.
    ///
    /// # Errors
    /// 413 for a document that is too large, 408 for one that arrives too slowly, 400 for one with too many items, a too
    /// long item or another shape.
    pub(super) async fn receive(body: Body, min_kib_per_second: u64) -> Result<Document, Problem> {
        let (mut body, mut pace) = (body.into_data_stream(), Pace::start(min_kib_per_second));
        // A vector, because the pieces of a chunked body may be single bytes, each with the cost of a whole `Bytes`.
        let mut bytes = Vec::new();
        while let Some(piece) = timely(async { body.next().await.transpose() }).await? {
            pace.record(piece.len())?;
            if bytes.len() + piece.len() > MAX_DOCUMENT {
                let detail = format!(
                    "the document is larger than {MAX_DOCUMENT} bytes: send a long list as application/x-ndjson"
                );
                return Err(Problem::new(Code::UploadTooLarge, detail));
            }
            bytes.extend_from_slice(&piece);
        }
        Document::parse(bytes.into())
    }

    fn parse(bytes: Bytes) -> Result<Document, Problem> {
        let invalid = |error: serde_json::Error| Problem::invalid(format!("body: {error}"));
        let text: Text<'_> = serde_json::from_slice(&bytes).map_err(invalid)?;
        Ok(Document {
            name: read(text.name, "name")?.unwrap_or_default(),
            options: read(text.options, "options")?.unwrap_or_default(),
            items: text
                .items
                .0
                .iter()
                .map(|item| bytes.slice_ref(item.get().as_bytes()))
                .collect(),
            bytes: bytes.clone(),
        })
    }
}

/// Parses a member of the document.
fn read<'a, T: Deserialize<'a>>(text: Option<&'a RawValue>, name: &str) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if text.get().len() > MAX_ITEM {
        return Err(Problem::invalid(format!(
            "{name} is longer than {MAX_ITEM} bytes"
        )));
    }
    let read = serde_json::from_str(text.get()).map(Some);
    read.map_err(|error| Problem::invalid(format!("{name}: {error}")))
}

/// The members of a document as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    options: Option<&'a RawValue>,
    #[serde(borrow)]
    items: ItemTexts<'a>,
}

/// The items as text, within their limits.
struct ItemTexts<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for ItemTexts<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_seq(ItemVisitor).map(ItemTexts)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(item) = items.next_element::<&RawValue>()? {
            if texts.len() as u32 == MAX_ITEMS {
                return Err(A::Error::custom(format!("a batch has at most {MAX_ITEMS} items")));
            }
            if item.get().len() > MAX_ITEM {
                let index = texts.len();
                return Err(A::Error::custom(format!(
                    "item {index} is longer than {MAX_ITEM} bytes"
                )));
            }
            texts.push(item);
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expected: Result<usize, &str>) {
        let start = &text[..text.len().min(60)];
        match (Document::parse(text.to_owned().into()), expected) {
            (Ok(document), Ok(items)) => assert_eq!(document.items.len(), items, "{start}"),
            (Err(problem), Err(part)) => assert!(problem.detail().contains(part), "{start}: {problem:?}"),
            (document, _) => panic!("{start}: {:?}", document.map(|document| document.items.len())),
        }
    }

    #[test]
    fn a_document_has_bounds() {
        let list = |item: &str, count: usize| format!("{{\"items\":[{}]}}", vec![item; count].join(","));
        check("{\"items\":[]}", Ok(0));
        check("{\"name\":\"a\",\"options\":null,\"items\":[{},{}]}", Ok(2));
        check(&list("1", 10_000), Ok(10_000));
        check(&list("1", 10_001), Err("at most 10000 items"));
        let long = json!("x".repeat(MAX_ITEM)).to_string();
        check(&list(&long, 1), Err("item 0 is longer"));
        check(
            &format!("{{\"name\":{long},\"items\":[]}}"),
            Err("name is longer"),
        );
        check(
            &format!("{{\"options\":{long},\"items\":[]}}"),
            Err("options is longer"),
        );
        check("{\"items\":3}", Err("a sequence"));
        check("{\"items\":[1}", Err("body: expected"));
        check("{\"items\":[],\"more\":1}", Err("unknown field `more`"));
        check("{\"options\":{}}", Err("missing field `items`"));
    }

    #[test]
    fn an_item_is_the_part_of_the_document() {
        let text = "{\"options\":{\"lane\":\"batch\"}, \"name\":\"spring\", \"items\":[ {\"a\": 1}, 2 ]}";
        let document = Document::parse(text.into()).unwrap();
        assert_eq!(document.name.as_deref(), Some("spring"));
        assert_eq!(document.options, json!({ "lane": "batch" }));
        assert_eq!(document.items, ["{\"a\": 1}", "2"]);
    }
}
