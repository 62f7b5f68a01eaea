//! What the stages made: listed, and handed out with ranges and entity tags.

use crate::{
    app::Shared,
    caller::Caller,
    jobs::parse_id,
    problem::{Code, Problem},
    range::{self, Part},
    view,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio_util::io::ReaderStream;
use vidp_common::contract::{Output, Stage};

/// Bytes read from the store at a time.
const BLOCK: usize = 64 << 10;

/// `GET /jobs/{id}/outputs`: what there is so far.
pub async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let job = app.db.get(&caller.tenant, parse_id(&id)?).await?;
    Ok(Json(json!({ "data": view::outputs(&job) })).into_response())
}

/// `GET /jobs/{id}/outputs/{stage}/{name}`: the bytes.
pub async fn get(
    State(app): State<Shared>,
    caller: Caller,
    Path((id, stage, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = app.db.get(&caller.tenant, parse_id(&id)?).await?;
    let state = stage
        .parse::<Stage>()
        .ok()
        .and_then(|stage| job.stages.get(&stage));
    let output = state.and_then(|state| state.outputs.iter().find(|output| output.name == name));
    let output = output.ok_or_else(|| Problem::new(Code::NotFound, "there is no such output, or not yet"))?;

    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let tag = format!("\"{}\"", output.sha256);
    if text(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag)) {
        return answer(StatusCode::NOT_MODIFIED, output, &tag, Body::empty());
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
            let body = read(&app, output, None).await?;
            let mut response = answer(StatusCode::OK, output, &tag, body)?;
            set(&mut response, header::CONTENT_LENGTH, &output.size.to_string())?;
            Ok(response)
        }
        Part::Bytes(first, last) => {
            let body = read(&app, output, Some(format!("bytes={first}-{last}"))).await?;
            let mut response = answer(StatusCode::PARTIAL_CONTENT, output, &tag, body)?;
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

async fn read(app: &Shared, output: &Output, range: Option<String>) -> Result<Body, Problem> {
    let object = app.store.get(&output.key, range).await?;
    let stream = ReaderStream::with_capacity(object.body.into_async_read(), BLOCK);
    Ok(Body::from_stream(stream))
}

fn answer(status: StatusCode, output: &Output, tag: &str, body: Body) -> Result<Response, Problem> {
    let mut response = (status, body).into_response();
    set(&mut response, header::CONTENT_TYPE, &output.content_type)?;
    set(&mut response, header::ETAG, tag)?;
    set(&mut response, header::ACCEPT_RANGES, "bytes")?;
    // An output never changes; a job that is tried again may get another one under the same name.
    set(&mut response, header::CACHE_CONTROL, "private, no-cache")?;
    // The names are the stages' own, plain ASCII.
    set(
        &mut response,
        header::CONTENT_DISPOSITION,
        &format!("inline; filename=\"{}\"", output.name),
    )?;
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff")?;
    Ok(response)
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) -> Result<(), Problem> {
    let value = HeaderValue::from_str(value).map_err(Problem::internal)?;
    response.headers_mut().insert(name, value);
    Ok(())
}
