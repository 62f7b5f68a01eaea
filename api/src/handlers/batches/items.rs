//! Reads the items of a batch request one after another: from a JSON document, or from lines of JSON as they arrive.

use super::document::{Document, MAX_ITEM};
use crate::{
    handlers::jobs::by_reference::ByReference,
    http::problem::{Code, Problem},
};
use axum::{
    body::{BodyDataStream, Bytes},
    extract::Request,
};
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::VecDeque, io, time::Duration};
use tokio_util::{
    codec::{FramedRead, LinesCodec, LinesCodecError},
    io::StreamReader,
};
use utoipa::IntoParams;
use vidp_contract::hex;

/// Longest pause between two lines.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Query of a batch request with lines of JSON, whose body contains only items.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct NewBatchQuery {
    /// For lines of JSON: name for people.
    #[param(example = "spring", max_length = 256)]
    pub(super) name: Option<String>,
    /// For lines of JSON: options of all items, as JSON. The options of an item take precedence.
    #[param(example = "{\"stages\":[\"detect\"]}")]
    pub(super) options: Option<String>,
}

/// The lines of a body.
type Lines = FramedRead<
    StreamReader<futures_util::stream::MapErr<BodyDataStream, fn(axum::Error) -> io::Error>, Bytes>,
    LinesCodec,
>;

/// The items that are left to read, and the hash of those that were read.
pub(crate) struct Items {
    source: Source,
    hash: Sha256,
}

/// The body of the request.
enum Source {
    /// Items of a JSON document, which has been received.
    Document(VecDeque<Bytes>),
    /// Lines of JSON, which are read as they arrive.
    Lines(Box<Lines>),
}

/// Values that apply to all items.
#[derive(Default)]
pub(crate) struct Common {
    /// Name of the batch.
    pub(super) name: Option<String>,
    /// Options as JSON; null when the request has none.
    pub(super) options: Value,
}

impl Items {
    /// Opens the body of a request. A JSON document is received as a whole, at the minimum rate.
    pub(crate) async fn open(
        request: Request,
        query: NewBatchQuery,
        min_kib_per_second: u64,
    ) -> Result<(Items, Common), Problem> {
        match crate::http::body::content_type(request.headers()).as_str() {
            "application/json" => {
                let document = Document::receive(request.into_body(), min_kib_per_second).await?;
                let common = Common {
                    name: document.name,
                    options: document.options,
                };
                let items = Items {
                    source: Source::Document(document.items),
                    hash: Sha256::new_with_prefix(&document.bytes),
                };
                Ok((items, common))
            }
            "application/x-ndjson" => {
                let hash = Sha256::new_with_prefix(format!("{:?} {:?}\n", query.name, query.options));
                let options = query.options.as_deref().map(serde_json::from_str).transpose();
                let common = Common {
                    name: query.name,
                    options: options
                        .map_err(|error| Problem::invalid(format!("options: {error}")))?
                        .unwrap_or_default(),
                };
                let body = request.into_body().into_data_stream();
                let body = body.map_err(io::Error::other as fn(axum::Error) -> io::Error);
                let lines =
                    FramedRead::new(StreamReader::new(body), LinesCodec::new_with_max_length(MAX_ITEM));
                let items = Items {
                    source: Source::Lines(Box::new(lines)),
                    hash,
                };
                Ok((items, common))
            }
            _ => Err(Problem::new(
                Code::UnsupportedContentType,
                "send application/json, or application/x-ndjson with one item per line",
            )),
        }
    }

    /// The next item, or the problem of an invalid one; `None` at the end. Skips empty lines. Fails when the body ends
    /// unexpectedly or pauses for too long.
    pub(crate) async fn next(&mut self) -> Result<Option<Result<ByReference, Problem>>, Problem> {
        let lines = match &mut self.source {
            Source::Document(items) => {
                return Ok(items.pop_front().map(|item| ByReference::parse(&item)));
            }
            Source::Lines(lines) => lines,
        };
        loop {
            let next = tokio::time::timeout(MAX_PAUSE, lines.next()).await;
            let next = next.map_err(|_| Problem::new(Code::TooSlow, "no line arrived within 30 seconds"))?;
            if let Some(Ok(line)) = &next {
                self.hash.update(line);
                self.hash.update("\n");
            }
            return match next {
                Some(Ok(line)) if line.trim().is_empty() => continue,
                Some(Ok(line)) => Ok(Some(ByReference::parse(line.as_bytes()))),
                Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
                    let detail = format!("the line is longer than {MAX_ITEM} bytes");
                    Ok(Some(Err(Problem::invalid(detail))))
                }
                Some(Err(error)) => Err(Problem::invalid(format!(
                    "the request body ended unexpectedly: {error}"
                ))),
                None => Ok(None),
            };
        }
    }

    /// SHA-256 of the request in hexadecimal. Call it after the last item.
    pub(crate) fn hash(self) -> String {
        hex(&self.hash.finalize())
    }
}
