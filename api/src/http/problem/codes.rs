//! All codes of problems. Clients rely on them, so the name and the status of a code never change.

use axum::http::StatusCode;

/// The list of codes: variant, status, name in responses, meaning. The OpenAPI document is generated from it too.
macro_rules! codes {
    ($($variant:ident $status:literal $name:literal $meaning:literal)+) => {
        /// The stable code of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// All codes, ordered by status.
            pub(crate) const ALL: &[Code] = &[$(Code::$variant,)+];

            /// The HTTP status of the response.
            pub(crate) fn status(self) -> StatusCode {
                let status = match self { $(Code::$variant => $status,)+ };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// The reason phrase of the status.
            pub(crate) fn title(self) -> &'static str {
                match self {
                    // 460 is defined by tus and is not in the IANA registry.
                    Code::ChecksumMismatch => "Checksum Mismatch",
                    code => code.status().canonical_reason().unwrap_or_default(),
                }
            }

            /// The name in responses.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)+ }
            }

            /// The meaning, as a sentence for the OpenAPI document.
            pub(crate) const fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)+ }
            }
        }
    };
}

impl Code {
    /// Seconds after which the same request may succeed.
    pub(crate) const fn retry_after(self) -> Option<u32> {
        match self {
            Code::Unavailable | Code::TooManyUploads | Code::TooManyStreams => Some(5),
            Code::TooManyRequests => Some(1),
            Code::QuotaExceeded => Some(60),
            _ => None,
        }
    }
}

codes! {
    InvalidRequest 400 "invalid_request" "The request is invalid; `detail` has the reason."
    EmptyFile 400 "unsupported_media" "The file is empty."
    Unauthenticated 401 "unauthenticated" "The request has no API key, or an invalid one."
    InsufficientScope 403 "insufficient_scope" "The key lacks the scope that `detail` names."
    SourceNotAllowed 403 "source_not_allowed" "The server does not fetch sources from this place."
    FinalUpload 403 "final_upload" "Bytes cannot be appended to an upload that was concatenated from partial ones."
    CrossSite 403 "cross_site" "A page of another origin sent the request to a server without keys."
    NotFound 404 "not_found" "The resource does not exist, or was deleted."
    MethodNotAllowed 405 "method_not_allowed" "The URL does not support the method."
    TooSlow 408 "too_slow" "The upload arrived below the minimum rate."
    Conflict 409 "conflict" "The state of the resource does not allow the request."
    IdempotencyConflict 409 "idempotency_conflict" "The first request with this `Idempotency-Key` is still in progress."
    IncompleteUpload 409 "incomplete_upload" "The uploaded size differs from the announced one."
    OffsetMismatch 409 "offset_mismatch" "The upload is at another offset, or another request appends to it; request the offset with HEAD."
    PreconditionFailed 412 "precondition_failed" "`If-Match` does not contain the current entity tag."
    UnsupportedVersion 412 "unsupported_version" "The version in `Tus-Resumable` is not in `Tus-Version`."
    UploadTooLarge 413 "upload_too_large" "The file is larger than the server accepts."
    UnsupportedContentType 415 "unsupported_content_type" "The content type of the body is not accepted."
    RangeNotSatisfiable 416 "range_not_satisfiable" "The range starts after the end of the file; `Content-Range` has the size."
    Misdirected 421 "misdirected_request" "The server has no keys, and `Host` names another machine."
    DigestMismatch 422 "digest_mismatch" "The body does not match its digest; nothing is stored."
    IdempotencyKeyReused 422 "idempotency_key_reused" "A different request was sent with this `Idempotency-Key` before."
    TooManyRequests 429 "too_many_requests" "The client exceeds its request limit; retry after `Retry-After`."
    TooManyUploads 429 "too_many_uploads" "The tenant has reached its limit of concurrent uploads."
    TooManyStreams 429 "too_many_streams" "The key or the tenant has reached its limit of open event streams, long polls and downloads."
    TooManyRetries 429 "too_many_retries" "The job was retried too often within a day."
    QuotaExceeded 429 "quota_exceeded" "The tenant has reached its limit of open jobs, of their size or of stored bytes."
    ChecksumMismatch 460 "checksum_mismatch" "The body does not match `Upload-Checksum`; nothing is stored."
    Internal 500 "internal" "An error of the server."
    Unavailable 503 "unavailable" "A dependency is down; the same request may succeed after `Retry-After`."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_document() {
        let document = include_str!("../../../../docs/api.md");
        for code in Code::ALL {
            assert!(document.contains(&format!("`{}`", code.as_str())), "{code:?}");
        }
    }

    #[test]
    fn codes_are_distinct_and_ordered_by_status() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].status() <= pair[1].status(), "{pair:?}");
        }
        for (index, code) in Code::ALL.iter().enumerate() {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(
                Code::ALL[..index]
                    .iter()
                    .all(|other| other.as_str() != code.as_str())
            );
        }
    }
}
