//! What the stages made: listed, and handed out with ranges and entity tags.

mod file_name;
mod find;
pub mod link;

use crate::{
    http::{
        extract::Owned,
        problem::{Code, Problem},
        range::{self, Part},
    },
    openapi::Binary,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use file_name::file_name;
use find::find;
use serde::Serialize;
use tokio_util::io::ReaderStream;
use utoipa::ToSchema;
use vidp_common::store::Store;
use vidp_contract::{Output, Stage};
use vidp_record::{
    job::Job,
    view::{self, OutputView},
};

/// Bytes read from the store at a time.
const BLOCK: usize = 64 << 10;

/// Every output so far.
#[derive(Serialize, ToSchema)]
pub struct OutputList<'a> {
    data: Vec<OutputView<'a>>,
}

/// List a job's outputs.
///
/// Those of the stages that have succeeded so far, while others run.
#[utoipa::path(
    get, path = "", operation_id = "listOutputs", tag = "Outputs",
    params(("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91")),
    responses((status = 200, description = "The outputs.", body = OutputList)),
    extensions(("x-problems" = json!(["not_found"]))),
)]
pub async fn list(Owned(job): Owned<Job>) -> Result<Response, Problem> {
    Ok(Json(OutputList {
        data: view::outputs(&job),
    })
    .into_response())
}

/// Fetch an output.
///
/// The bytes, whole or one range of them.
#[utoipa::path(
    get, path = "", operation_id = "getOutput", tag = "Outputs",
    params(
        ("id" = Uuid, Path, description = "The job.", example = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91"),
        ("stage" = inline(Stage), Path, description = "The stage that made it.", example = "scale"),
        ("name" = String, Path, description = "Its name in the job.", example = "480p.mp4"),
        ("Range" = Option<String>, Header, description = "One range of bytes.", example = "bytes=0-1023"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that the range belongs to.", example = "\"3f2c9a10\""),
        ("If-None-Match" = Option<String>, Header, description = "`ETag`s that the client has.", example = "\"3f2c9a10\""),
    ),
    responses(
        (status = 200, description = "All of it.", body = Binary, content_type = "*/*", headers(
            ("ETag" = String, description = "The SHA-256 of all of it, in quotes."),
            ("Accept-Ranges" = String, description = "`bytes`."),
            ("Content-Disposition" = String, description = "The source's name and its own."),
        ), example = json!("the bytes")),
        (status = 206, description = "The range.", body = Binary, content_type = "*/*", headers(
            ("ETag" = String, description = "The SHA-256 of all of it, in quotes."),
            ("Content-Range" = String, description = "Which bytes these are, and of how many."),
        ), example = json!("some bytes")),
        (status = 304, description = "The client has it.", headers(("ETag" = String, description = "As it was sent."))),
    ),
    extensions(("x-problems" = json!(["not_found", "range_not_satisfiable"]))),
)]
pub async fn get(
    State(store): State<Store>,
    Owned(job): Owned<Job>,
    Path((_, stage, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let output = find(&job, &stage, &name)?;

    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let tag = format!("\"{}\"", output.sha256);
    if text(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag)) {
        return answer(StatusCode::NOT_MODIFIED, &job, output, &tag, Body::empty());
    }
    // A range of something that is no longer the same would be joined to the wrong bytes.
    let unchanged = text(header::IF_RANGE).is_none_or(|known| known == tag);
    let part = range::parse(text(header::RANGE).filter(|_| unchanged), output.size);
    match part {
        Part::Unsatisfiable => {
            let mut response = Problem::new(Code::RangeNotSatisfiable, "no such bytes").into_response();
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{}", output.size),
            )?;
            Ok(response)
        }
        Part::Whole => {
            let body = read(&store, output, None).await?;
            let mut response = answer(StatusCode::OK, &job, output, &tag, body)?;
            set(&mut response, header::CONTENT_LENGTH, &output.size.to_string())?;
            Ok(response)
        }
        Part::Bytes(first, last) => {
            let body = read(&store, output, Some(format!("bytes={first}-{last}"))).await?;
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

async fn read(store: &Store, output: &Output, range: Option<String>) -> Result<Body, Problem> {
    let object = store.get(&output.key, range).await?;
    let stream = ReaderStream::with_capacity(object.body.into_async_read(), BLOCK);
    Ok(Body::from_stream(stream))
}

fn answer(
    status: StatusCode,
    job: &Job,
    output: &Output,
    tag: &str,
    body: Body,
) -> Result<Response, Problem> {
    let mut response = (status, body).into_response();
    set(&mut response, header::CONTENT_TYPE, &output.content_type)?;
    set(&mut response, header::ETAG, tag)?;
    set(&mut response, header::ACCEPT_RANGES, "bytes")?;
    // An output never changes; a job that is tried again may get another one under the same name.
    set(&mut response, header::CACHE_CONTROL, "private, no-cache")?;
    let name = file_name(&job.source.filename, &output.name);
    set(
        &mut response,
        header::CONTENT_DISPOSITION,
        &format!("inline; filename=\"{name}\""),
    )?;
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff")?;
    Ok(response)
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(value).map_err(Problem::internal)?;
    response.headers_mut().insert(name, value);
    Ok(())
}
