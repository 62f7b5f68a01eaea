//! `OPTIONS /files`: the supported parts of the protocol.

use axum::http::StatusCode;

/// Get the supported tus features.
///
/// Returns the protocol's version and extensions, the largest size of an upload and the checksum algorithms.
#[utoipa::path(
    options, path = "", operation_id = "getTusOptions", tag = "Uploads",
    responses((status = 204, description = "The features, in the header fields.", headers(
        ("Tus-Version" = String, description = "Supported versions of the protocol."),
        ("Tus-Extension" = String, description = "Supported extensions of the protocol."),
        ("Tus-Max-Size" = u64, description = "Largest size of an upload in bytes."),
        ("Tus-Checksum-Algorithm" = String, description = "Algorithms that `Upload-Checksum` may name."),
    ))),
)]
pub(crate) async fn options() -> StatusCode {
    // The middleware `announce` sets the header fields, also when the CORS middleware answers a browser's preflight.
    StatusCode::NO_CONTENT
}
