//! `GET /play/{grant}/{file}`: the playlists of a stream, and the files that they name.

use super::find::{File, find};
use crate::{
    http::{
        object::{self, Manner},
        problem::Problem,
    },
    openapi::Binary,
    playback::{Granted, Text},
    state::Playing,
};
use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::time::Duration;

/// Path of all grants.
const BASE: &str = "/api/v1/play/";
/// Lifetime of a presigned URL, and the time for which a browser may use it again, in seconds.
const URL_LIFE: u64 = 120;
const REDIRECT_LIFE: u64 = 60;

/// Play a file of a stream.
///
/// Returns a playlist, or redirects to a file that playlists name: a track, a piece of a track, the captions or the storyboard.
/// Playlists name files by relative URLs. While the film is made, playlists of HLS grow. Pages of every origin may play.
#[utoipa::path(
    get, path = "", operation_id = "play", tag = "Playback",
    params(
        ("grant" = String, Path, description = "The grant, from the URLs of `createPlayback`.", example = "AZjCpG8LfV6MGi9ObYsKkQAAAABp9_u4u6xPjd3zgqkv0xZ9Jt3Yxw"),
        ("file" = String, Path, description = "Name of the file.", example = "master.m3u8"),
        ("Range" = Option<String>, Header, description = "One range of bytes.", example = "bytes=0-1023"),
    ),
    responses(
        (status = 200, description = "The playlist or the file.", body = Binary, content_type = "*/*", headers(
            ("ETag" = String, description = "Changes with the content."),
        ), example = json!("#EXTM3U")),
        (status = 206, description = "The requested range of a file.", body = Binary, content_type = "*/*", headers(
            ("Content-Range" = String, description = "The range and the size of the complete file."),
        ), example = json!("some bytes")),
        (status = 304, description = "The player already has the playlist or the file."),
        (status = 307, description = "The file at the object store, for two minutes.", headers(
            ("Location" = String, description = "Presigned URL, which supports ranges."),
        )),
    ),
    extensions(("x-problems" = json!(["not_found", "range_not_satisfiable", "too_many_requests", "too_many_streams", "unavailable"]))),
)]
pub(crate) async fn get(
    State(playing): State<Playing>,
    method: Method,
    granted: Granted,
    Path((_, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Granted { job, remaining } = granted;
    let (output, cache_control, is_small) = match find(&playing, &job, &file).await? {
        File::Text(text) => return Ok(answer(text, &headers)),
        File::Object(output, cache_control) => (output, cache_control, false),
        File::Small(output, cache_control) => (output, cache_control, true),
    };
    let manner = Manner {
        cache_control,
        disposition: None,
    };
    if method == Method::HEAD {
        // A presigned URL is for one method.
        return object::head(&output, &manner);
    }
    if playing.config.play_proxy || is_small {
        let permit = || playing.limits.player(job.id);
        return object::send(&playing.store, &output, &headers, &manner, permit).await;
    }
    let valid = remaining
        .min(Duration::from_secs(URL_LIFE))
        .max(Duration::from_secs(1));
    let url = playing.public_store.presign(&output.key, valid).await?;
    // A browser asks for many ranges of one file.
    let again = remaining.as_secs().min(REDIRECT_LIFE);
    let cache_control = format!("private, max-age={again}");
    let headers = [(header::LOCATION, url), (header::CACHE_CONTROL, cache_control)];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

fn answer(text: Text, headers: &HeaderMap) -> Response {
    let Text {
        content_type,
        bytes,
        tag,
    } = text;
    // Captions and parts may come later, so that a player asks again.
    let common = [
        (header::ETAG, tag.value()),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ),
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
    ];
    match tag.is_known(headers) {
        true => (StatusCode::NOT_MODIFIED, common).into_response(),
        false => (common, bytes).into_response(),
    }
}

/// Middleware that lets pages of every origin play, and answers their preflight requests. The store sees the origin `null` after a redirect
/// from another origin, so that a list of origins would stop playback.
pub(crate) async fn open_to_pages(request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(BASE) {
        return next.run(request).await;
    }
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
