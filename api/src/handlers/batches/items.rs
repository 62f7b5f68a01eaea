//! The items of a request, one after the other: of a document, or of lines as they come in.

use crate::{
    handlers::jobs::by_reference::ByReference,
    http::problem::{Code, Problem},
};
use axum::{
    body::{self, BodyDataStream},
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

/// Largest document in bytes.
const MAX_DOCUMENT: usize = 16 << 20;
/// Longest line in bytes.
const MAX_LINE: usize = 64 << 10;
/// Between two lines.
const SILENCE: Duration = Duration::from_secs(30);

/// Query of a batch with lines of JSON, which have no place for it.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct NewBatchQuery {
    /// For people.
    #[param(example = "spring", max_length = 256)]
    pub name: Option<String>,
    /// Options of all items, as JSON; what an item says itself counts.
    #[param(example = "{\"stages\":[\"detect\"]}")]
    pub options: Option<String>,
}

type Lines = FramedRead<
    StreamReader<futures_util::stream::MapErr<BodyDataStream, fn(axum::Error) -> io::Error>, body::Bytes>,
    LinesCodec,
>;

/// What is left to read, and the hash of what was read.
pub struct Items {
    from: From,
    hash: Sha256,
}

/// Where they come from.
enum From {
    Document(VecDeque<Value>),
    Lines(Box<Lines>),
}

/// What holds for all.
#[derive(Default)]
pub struct Given {
    pub name: Option<String>,
    /// Null when there are none.
    pub options: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: Option<String>,
    #[serde(default)]
    options: Value,
    items: VecDeque<Value>,
}

impl Items {
    /// Of a request.
    pub async fn of(request: Request, query: NewBatchQuery) -> Result<(Items, Given), Problem> {
        match crate::http::body::content_type(request.headers()).as_str() {
            "application/json" => {
                let body = body::to_bytes(request.into_body(), MAX_DOCUMENT).await;
                let body = body.map_err(|error| {
                    Problem::invalid(format!("body: {error}; lines of JSON may be longer"))
                })?;
                let document: Document = serde_json::from_slice(&body)
                    .map_err(|error| Problem::invalid(format!("body: {error}")))?;
                let given = Given {
                    name: document.name,
                    options: document.options,
                };
                let items = Items {
                    from: From::Document(document.items),
                    hash: Sha256::new_with_prefix(&body),
                };
                Ok((items, given))
            }
            "application/x-ndjson" => {
                let hash = Sha256::new_with_prefix(format!("{:?} {:?}\n", query.name, query.options));
                let options = query.options.as_deref().map(serde_json::from_str).transpose();
                let given = Given {
                    name: query.name,
                    options: options
                        .map_err(|error| Problem::invalid(format!("options: {error}")))?
                        .unwrap_or_default(),
                };
                let body = request.into_body().into_data_stream();
                let body = body.map_err(io::Error::other as fn(axum::Error) -> io::Error);
                let lines =
                    FramedRead::new(StreamReader::new(body), LinesCodec::new_with_max_length(MAX_LINE));
                let items = Items {
                    from: From::Lines(Box::new(lines)),
                    hash,
                };
                Ok((items, given))
            }
            _ => Err(Problem::new(
                Code::UnsupportedContentType,
                "send application/json, or application/x-ndjson with an item a line",
            )),
        }
    }

    /// The next one, or why it is none; empty lines are passed over. An error of the whole when the body breaks off.
    pub async fn next(&mut self) -> Result<Option<Result<ByReference, Problem>>, Problem> {
        let lines = match &mut self.from {
            From::Document(items) => {
                let read =
                    |item| serde_json::from_value(item).map_err(|error| Problem::invalid(error.to_string()));
                return Ok(items.pop_front().map(read));
            }
            From::Lines(lines) => lines,
        };
        loop {
            let next = tokio::time::timeout(SILENCE, lines.next()).await;
            let next = next.map_err(|_| Problem::new(Code::TooSlow, "no line came for 30 seconds"))?;
            if let Some(Ok(line)) = &next {
                self.hash.update(line);
                self.hash.update("\n");
            }
            return match next {
                Some(Ok(line)) if line.trim().is_empty() => continue,
                Some(Ok(line)) => Ok(Some(ByReference::parse(line.as_bytes()))),
                Some(Err(LinesCodecError::MaxLineLengthExceeded)) => {
                    let detail = format!("the line is longer than {MAX_LINE} bytes");
                    Ok(Some(Err(Problem::invalid(detail))))
                }
                Some(Err(error)) => Err(Problem::invalid(format!("the body broke off: {error}"))),
                None => Ok(None),
            };
        }
    }

    /// Of the request, all of which has been read: SHA-256 in hexadecimal.
    pub fn hash(self) -> String {
        hex(&self.hash.finalize())
    }
}
