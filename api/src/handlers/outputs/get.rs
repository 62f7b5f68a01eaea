//! `GET /jobs/{id}/outputs/{stage}/{name}`: the bytes of an output, with ranges and entity tags.

use super::{file_name::disposition, find};
use crate::{
    auth::Caller,
    http::{
        extract::Owned,
        object::{self, Manner},
        problem::Problem,
    },
    limits::Limits,
    openapi::Binary,
};
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use std::sync::Arc;
use vidp_common::store::Store;
use vidp_contract::Stage;
use vidp_record::job::Job;

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
    let manner = Manner {
        // An output never changes, but a retried job may replace it with another one of the same name.
        cache_control: "private, no-cache",
        disposition: Some(disposition("inline", &job.source.filename, &output.name)),
    };
    object::send(&store, output, &headers, &manner, || limits.stream(&caller)).await
}
