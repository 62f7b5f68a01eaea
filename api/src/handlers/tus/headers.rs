//! The header fields of the protocol, and what every answer of it has.

use crate::{
    config::ApiConfig,
    http::problem::{Code, Problem},
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{fmt::Display, sync::Arc};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use vidp_record::resumable::{Resumable, UploadState};

pub const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub const LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub const CONCAT: HeaderName = HeaderName::from_static("upload-concat");
pub const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const VERSION: HeaderName = HeaderName::from_static("tus-version");
/// What pages of other origins may read.
pub const EXPOSED: [HeaderName; 7] = [OFFSET, LENGTH, METADATA, CONCAT, EXPIRES, RESUMABLE, VERSION];
/// The one version that there is.
const SUPPORTED: &str = "1.0.0";
/// The checksum algorithms, as `Tus-Checksum-Algorithm` lists them. The protocol asks for SHA-1 at least.
pub const ALGORITHMS: &str = "sha1,sha256";
const EXTENSIONS: &str = "creation,creation-with-upload,termination,checksum,expiration,concatenation";
/// RFC 9110 §5.6.7.
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The address of an upload.
pub fn url(id: impl Display) -> String {
    format!("/files/{id}")
}

/// Sets a field; what could not be in one is left out.
pub fn set(fields: &mut HeaderMap, name: HeaderName, value: impl ToString) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        fields.insert(name, value);
    }
}

/// Says when an upload that is not finished is given up.
pub fn set_expiry(fields: &mut HeaderMap, upload: &Resumable) {
    let at = OffsetDateTime::from(upload.expires_at.to_system_time());
    if let (UploadState::Open, Ok(at)) = (upload.state, at.format(HTTP_DATE)) {
        set(fields, EXPIRES, at);
    }
}

/// A number of bytes in a field; `None` when it is not there.
pub fn bytes(fields: &HeaderMap, name: &HeaderName) -> Result<Option<i64>, Problem> {
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

fn is_ours(request: &Request) -> bool {
    let path = request.uri().path();
    path == "/files" || path.starts_with("/files/")
}

/// Middleware: answers requests of other versions with the one that is spoken, and does nothing for them.
pub async fn require_version(request: Request, next: Next) -> Response {
    let spoken = request
        .headers()
        .get(RESUMABLE)
        .is_some_and(|version| version == SUPPORTED);
    if spoken {
        return next.run(request).await;
    }
    Problem::new(
        Code::UnsupportedVersion,
        format!("Tus-Resumable must be {SUPPORTED}, the one version that is spoken here"),
    )
    .into_response()
}

/// Middleware around everything: the protocol's fields of every answer, those of CORS and of other middleware too.
pub async fn announce(State(config): State<Arc<ApiConfig>>, request: Request, next: Next) -> Response {
    let (ours, asks) = (is_ours(&request), request.method() == Method::OPTIONS);
    let mut response = next.run(request).await;
    if ours {
        let status = response.status();
        let fields = response.headers_mut();
        set(fields, RESUMABLE, SUPPORTED);
        if asks || status == Code::UnsupportedVersion.status() {
            set(fields, VERSION, SUPPORTED);
        }
        if asks {
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
