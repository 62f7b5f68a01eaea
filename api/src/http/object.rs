//! The bytes of an output as a response, whole or one range, with an entity tag.

use super::{
    etag::ETag,
    problem::{Code, Problem},
    range::{self, Part},
};
use crate::limits::StreamPermit;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use tokio_util::io::ReaderStream;
use vidp_common::store::Store;
use vidp_contract::Output;

/// Size in bytes of the blocks that are read from the object store.
const BLOCK: usize = 64 << 10;

/// Headers that depend on the purpose of a response.
pub(crate) struct Manner {
    /// `Cache-Control`.
    pub(crate) cache_control: &'static str,
    /// `Content-Disposition`.
    pub(crate) disposition: Option<String>,
}

/// Sends an output as the request's headers ask for it. `permit` is called when bytes are sent, and held to their end.
pub(crate) async fn send(
    store: &Store,
    output: &Output,
    headers: &HeaderMap,
    manner: &Manner,
    permit: impl FnOnce() -> Result<StreamPermit, Problem>,
) -> Result<Response, Problem> {
    let tag = ETag::strong(&output.sha256);
    if tag.is_known(headers) {
        return answer(StatusCode::NOT_MODIFIED, output, manner, &tag, Body::empty());
    }
    let permit = permit()?;
    // A client would append a range of a changed output to bytes of the previous one.
    let wanted = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let part = range::parse(wanted.filter(|_| tag.has_range(headers)), output.size);
    match part {
        Part::Unsatisfiable => {
            let mut response = Problem::new(
                Code::RangeNotSatisfiable,
                "the range lies beyond the end of the output",
            )
            .into_response();
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{}", output.size),
            )?;
            Ok(response)
        }
        Part::Whole => {
            let body = read(store, output, None, permit).await?;
            let mut response = answer(StatusCode::OK, output, manner, &tag, body)?;
            set(&mut response, header::CONTENT_LENGTH, &output.size.to_string())?;
            Ok(response)
        }
        Part::Bytes(first, last) => {
            let body = read(store, output, Some(format!("bytes={first}-{last}")), permit).await?;
            let mut response = answer(StatusCode::PARTIAL_CONTENT, output, manner, &tag, body)?;
            set(
                &mut response,
                header::CONTENT_LENGTH,
                &(last - first + 1).to_string(),
            )?;
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes {first}-{last}/{}", output.size),
            )?;
            Ok(response)
        }
    }
}

/// The headers of the whole output, for a request without a body (`HEAD`).
pub(crate) fn head(output: &Output, manner: &Manner) -> Result<Response, Problem> {
    let tag = ETag::strong(&output.sha256);
    let mut response = answer(StatusCode::OK, output, manner, &tag, Body::empty())?;
    set(&mut response, header::CONTENT_LENGTH, &output.size.to_string())?;
    Ok(response)
}

/// A stream of the output's bytes, or of one range. It holds the permit until its end.
async fn read(
    store: &Store,
    output: &Output,
    range: Option<String>,
    permit: StreamPermit,
) -> Result<Body, Problem> {
    let object = store.get(&output.key, range).await?;
    let stream = ReaderStream::with_capacity(object.body.into_async_read(), BLOCK);
    Ok(Body::from_stream(stream.inspect(move |_| {
        let _held = &permit;
    })))
}

/// An answer with the headers of an output.
fn answer(
    status: StatusCode,
    output: &Output,
    manner: &Manner,
    tag: &ETag,
    body: Body,
) -> Result<Response, Problem> {
    let mut response = (status, body).into_response();
    set(&mut response, header::CONTENT_TYPE, &output.content_type)?;
    response.headers_mut().insert(header::ETAG, tag.value());
    set(&mut response, header::ACCEPT_RANGES, "bytes")?;
    set(&mut response, header::CACHE_CONTROL, manner.cache_control)?;
    if let Some(disposition) = &manner.disposition {
        set(&mut response, header::CONTENT_DISPOSITION, disposition)?;
    }
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff")?;
    Ok(response)
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(value).map_err(Problem::internal)?;
    response.headers_mut().insert(name, value);
    Ok(())
}
