//! The header fields of the protocol, and the middleware that adds them to every answer.

use crate::{
    config::ApiConfig,
    http::problem::{Code, Problem},
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{fmt::Display, sync::Arc};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use vidp_record::resumable::{Resumable, UploadState};

/// Offset of an upload, or of a body, in bytes.
pub(crate) const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Size of the complete file in bytes.
pub(crate) const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// Name, type, hash and options of the file.
pub(crate) const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
/// Marks partial and final uploads.
pub(crate) const CONCAT: HeaderName = HeaderName::from_static("upload-concat");
/// When an unfinished upload expires.
pub(crate) const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
/// Algorithm and checksum of a body.
pub(crate) const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const VERSION: HeaderName = HeaderName::from_static("tus-version");
/// Header fields that pages of other origins may read.
pub(crate) const EXPOSED: [HeaderName; 7] = [OFFSET, LENGTH, METADATA, CONCAT, EXPIRES, RESUMABLE, VERSION];
/// The only supported version of the protocol.
const SUPPORTED: &str = "1.0.0";
/// The checksum algorithms, as `Tus-Checksum-Algorithm` lists them. The protocol requires SHA-1.
pub(crate) const ALGORITHMS: &str = "sha1,sha256";
/// The supported extensions, as `Tus-Extension` lists them.
const EXTENSIONS: &str = "creation,creation-with-upload,termination,checksum,expiration,concatenation";
/// Content type of a body with bytes of an upload.
pub(crate) const CONTENT_TYPE: &str = "application/offset+octet-stream";
/// The date format of HTTP: RFC 9110 §5.6.7.
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The address of resumable uploads.
pub(crate) const BASE: &str = "/api/v1/files";
/// Their address in earlier releases, which still works.
pub(crate) const ROOT: &str = "/files";
/// [`BASE`] with a slash.
pub(crate) const BASE_SLASH: &str = "/api/v1/files/";
/// [`ROOT`] with a slash.
pub(crate) const ROOT_SLASH: &str = "/files/";

/// The path of an upload, below the address that the client uses.
pub(crate) fn url(request: &Uri, id: impl Display) -> String {
    let base = match request.path().starts_with(ROOT) {
        true => ROOT,
        false => BASE,
    };
    format!("{base}/{id}")
}

/// Sets a field. A value that a header cannot contain is omitted.
pub(crate) fn set(fields: &mut HeaderMap, name: HeaderName, value: impl ToString) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        fields.insert(name, value);
    }
}

/// 415: the content type is not that of an upload's bytes.
pub(crate) fn wrong_type() -> Problem {
    Problem::new(
        Code::UnsupportedContentType,
        format!("send the bytes with the content type {CONTENT_TYPE}"),
    )
}

/// Sets `Upload-Expires` for an upload that is not finished.
pub(crate) fn set_expiry(fields: &mut HeaderMap, upload: &Resumable) {
    let at = OffsetDateTime::from(upload.expires_at.to_system_time());
    if let (UploadState::Open, Ok(at)) = (upload.state, at.format(HTTP_DATE)) {
        set(fields, EXPIRES, at);
    }
}

/// The number of bytes in a field; `None` when the field is missing.
pub(crate) fn bytes(fields: &HeaderMap, name: &HeaderName) -> Result<Option<i64>, Problem> {
    let Some(value) = fields.get(name) else {
        return Ok(None);
    };
    let number = value
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = number.and_then(|text| text.parse().ok());
    let wrong = || Problem::invalid(format!("{name} must be a number of bytes"));
    number.map(Some).ok_or_else(wrong)
}

/// True for requests to the endpoints of the protocol.
fn is_tus(request: &Request) -> bool {
    [BASE, ROOT].iter().any(|base| {
        let below = request.uri().path().strip_prefix(base);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Middleware that refuses requests of other versions of the protocol with 412.
pub(crate) async fn require_version(request: Request, next: Next) -> Response {
    let supported = request
        .headers()
        .get(RESUMABLE)
        .is_some_and(|version| version == SUPPORTED);
    if supported {
        return next.run(request).await;
    }
    Problem::new(
        Code::UnsupportedVersion,
        format!("Tus-Resumable must be {SUPPORTED}, the only supported version"),
    )
    .into_response()
}

/// Middleware that adds the protocol's fields to every answer of resumable uploads.
///
/// It wraps all other middleware, because their answers, such as those of CORS, need the fields too.
pub(crate) async fn announce(State(config): State<Arc<ApiConfig>>, request: Request, next: Next) -> Response {
    let (is_tus, is_options) = (is_tus(&request), request.method() == Method::OPTIONS);
    let mut response = next.run(request).await;
    if is_tus {
        let status = response.status();
        let fields = response.headers_mut();
        set(fields, RESUMABLE, SUPPORTED);
        if is_options || status == Code::UnsupportedVersion.status() {
            set(fields, VERSION, SUPPORTED);
        }
        if is_options {
            set(fields, HeaderName::from_static("tus-extension"), EXTENSIONS);
            set(
                fields,
                HeaderName::from_static("tus-max-size"),
                config.max_upload(),
            );
            set(
                fields,
                HeaderName::from_static("tus-checksum-algorithm"),
                ALGORITHMS,
            );
        }
    }
    response
}
