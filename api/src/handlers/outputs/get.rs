//! `GET /jobs/{id}/outputs/{stage}/{name}`: the bytes of an output, with ranges and entity tags.

use super::{file_name::disposition, find::find};
use crate::{
    auth::Caller,
    http::{
        etag::ETag,
        extract::Owned,
        problem::{Code, Problem},
        range::{self, Part},
    },
    limits::{Limits, StreamPermit},
    openapi::Binary,
};
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use std::sync::Arc;
use tokio_util::io::ReaderStream;
use vidp_common::store::Store;
use vidp_contract::{Output, Stage};
use vidp_record::job::Job;

/// Size in bytes of the blocks that are read from the object store.
const BLOCK: usize = 64 << 10;

/// Download an output.
///
/// Returns all bytes of the output, or one range.
#[utoipa::path(
    get, path = "", operation_id = "getOutput", tag = "Outputs",
    params(
        ("id" = Uuid, Path, description = "Id of the job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("stage" = inline(Stage), Path, description = "Stage that produced the output.", example = "scale"),
        ("name" = String, Path, description = "Name of the output.", example = "480p.mp4"),
        ("Range" = Option<String>, Header, description = "One range of bytes.", example = "bytes=0-1023"),
        ("If-Range" = Option<String>, Header, description = "`ETag` of the file that the range belongs to.", example = "\"3f2c9a10\""),
        ("If-None-Match" = Option<String>, Header, description = "`ETag`s of the files that the client has.", example = "\"3f2c9a10\""),
    ),
    responses(
        (status = 200, description = "All bytes of the output.", body = Binary, content_type = "*/*", headers(
            ("ETag" = String, description = "SHA-256 of the complete output, in quotes."),
            ("Accept-Ranges" = String, description = "`bytes`."),
            ("Content-Disposition" = String, description = "File name for a download, made of the names of the source and of the output."),
        ), example = json!("the bytes")),
        (status = 206, description = "The requested range.", body = Binary, content_type = "*/*", headers(
            ("ETag" = String, description = "SHA-256 of the complete output, in quotes."),
            ("Content-Range" = String, description = "The range and the size of the complete output."),
        ), example = json!("some bytes")),
        (status = 304, description = "The client already has the output.", headers(
            ("ETag" = String, description = "SHA-256 of the complete output, in quotes."),
        )),
    ),
    extensions(("x-problems" = json!(["not_found", "range_not_satisfiable", "too_many_streams"]))),
)]
pub(crate) async fn get(
    State(store): State<Store>,
    State(limits): State<Arc<Limits>>,
    caller: Caller,
    Owned(job): Owned<Job>,
    Path((_, stage, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let output = find(&job, &stage, &name)?;

    let tag = ETag::strong(&output.sha256);
    if tag.is_known(&headers) {
        return answer(StatusCode::NOT_MODIFIED, &job, output, &tag, Body::empty());
    }
    let permit = limits.stream(&caller)?;
    // A client would append a range of a changed output to bytes of the previous one.
    let wanted = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let part = range::parse(wanted.filter(|_| tag.has_range(&headers)), output.size);
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
            let body = read(&store, output, None, permit).await?;
            let mut response = answer(StatusCode::OK, &job, output, &tag, body)?;
            set(&mut response, header::CONTENT_LENGTH, &output.size.to_string())?;
            Ok(response)
        }
        Part::Bytes(first, last) => {
            let body = read(&store, output, Some(format!("bytes={first}-{last}")), permit).await?;
            let mut response = answer(StatusCode::PARTIAL_CONTENT, &job, output, &tag, body)?;
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
    job: &Job,
    output: &Output,
    tag: &ETag,
    body: Body,
) -> Result<Response, Problem> {
    let mut response = (status, body).into_response();
    set(&mut response, header::CONTENT_TYPE, &output.content_type)?;
    response.headers_mut().insert(header::ETAG, tag.value());
    set(&mut response, header::ACCEPT_RANGES, "bytes")?;
    // An output never changes, but a retried job may replace it with another one of the same name.
    set(&mut response, header::CACHE_CONTROL, "private, no-cache")?;
    let disposition = disposition("inline", &job.source.filename, &output.name);
    set(&mut response, header::CONTENT_DISPOSITION, &disposition)?;
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff")?;
    Ok(response)
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(value).map_err(Problem::internal)?;
    response.headers_mut().insert(name, value);
    Ok(())
}
