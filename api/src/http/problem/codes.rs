//! Every code that a problem can have. Clients rely on them: a code keeps its name and its status.

use axum::http::StatusCode;

/// One list for the code, the document and the clients: variant, status, name on the wire, what it means.
macro_rules! codes {
    ($($variant:ident $status:literal $name:literal $meaning:literal)+) => {
        /// The stable code of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the statuses.
            pub const ALL: &[Code] = &[$(Code::$variant,)+];

            /// The HTTP status that it comes with.
            pub fn status(self) -> StatusCode {
                let status = match self { $(Code::$variant => $status,)+ };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// The status in words.
            pub fn title(self) -> &'static str {
                match self {
                    // tus has it, and the registry of statuses does not.
                    Code::ChecksumMismatch => "Checksum Mismatch",
                    code => code.status().canonical_reason().unwrap_or_default(),
                }
            }

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)+ }
            }

            /// What it means, as a sentence for whoever reads the document.
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)+ }
            }
        }
    };
}

impl Code {
    /// Seconds after which the same request may succeed.
    pub const fn retry_after(self) -> Option<u32> {
        match self {
            Code::Unavailable | Code::TooManyUploads => Some(5),
            Code::TooManyRequests => Some(1),
            Code::QuotaExceeded => Some(60),
            _ => None,
        }
    }
}

codes! {
    InvalidRequest 400 "invalid_request" "The request itself is wrong; `detail` says what."
    EmptyFile 400 "unsupported_media" "The file is empty."
    Unauthenticated 401 "unauthenticated" "The request shows no key, or none that is good."
    InsufficientScope 403 "insufficient_scope" "The key is not for this; `detail` says which scope it lacks."
    SourceNotAllowed 403 "source_not_allowed" "The source lies where this server fetches nothing from."
    FinalUpload 403 "final_upload" "Nothing can be added to an upload that is made of others."
    NotFound 404 "not_found" "There is no such thing, or not any more."
    MethodNotAllowed 405 "method_not_allowed" "This address does not take that method."
    TooSlow 408 "too_slow" "The upload came in too slowly."
    Conflict 409 "conflict" "The state of the job forbids it."
    IdempotencyConflict 409 "idempotency_conflict" "The first request with this `Idempotency-Key` is still being worked on."
    IncompleteUpload 409 "incomplete_upload" "What was sent is not as long as was announced."
    OffsetMismatch 409 "offset_mismatch" "The upload has come to another offset, or another request appends to it: ask by HEAD."
    PreconditionFailed 412 "precondition_failed" "`If-Match` names another state of it than the present one."
    UnsupportedVersion 412 "unsupported_version" "`Tus-Resumable` names another version than `Tus-Version` does."
    UploadTooLarge 413 "upload_too_large" "The file is larger than the server takes."
    UnsupportedContentType 415 "unsupported_content_type" "The body is of a type that is not taken here."
    RangeNotSatisfiable 416 "range_not_satisfiable" "The range lies beyond the file's end; `Content-Range` says its size."
    DigestMismatch 422 "digest_mismatch" "The file is not the one that the digest was made of; nothing of it is kept."
    IdempotencyKeyReused 422 "idempotency_key_reused" "Another request has been made with this `Idempotency-Key`."
    TooManyRequests 429 "too_many_requests" "More requests than one client may make; wait for `Retry-After`."
    TooManyUploads 429 "too_many_uploads" "As many uploads as the tenant may have at once are going on."
    QuotaExceeded 429 "quota_exceeded" "The tenant has as much waiting as it may have."
    ChecksumMismatch 460 "checksum_mismatch" "The body is not what `Upload-Checksum` was made of; nothing of it is kept."
    Internal 500 "internal" "A fault of the server's own."
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
    fn codes_are_distinct_and_in_the_order_of_their_statuses() {
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
