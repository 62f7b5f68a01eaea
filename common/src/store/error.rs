use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// A failed call to the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The object does not exist.
    #[error("no object {key}")]
    Missing {
        /// Key of the object.
        key: String,
    },
    /// The object differs from the one that was stored, in size or SHA-256.
    #[error("object {key} differs from what was stored: {detail}")]
    Corrupt {
        /// Key of the object.
        key: String,
        /// The expected and the found values.
        detail: String,
    },
    /// The user of this client has no right to the object. AWS S3 also answers so for a missing object, when the user may
    /// not list the bucket.
    #[error("{what} {key}: access denied")]
    Denied {
        /// The operation.
        what: &'static str,
        /// Key of the object, or a prefix or bucket.
        key: String,
    },
    /// The object is larger than its reader accepts.
    #[error("object {key} has more than {limit} bytes")]
    TooLarge {
        /// Key of the object.
        key: String,
        /// Maximum number of bytes.
        limit: u64,
    },
    /// The store refused the request or did not answer.
    #[error("{what} {key}: {detail}")]
    Refused {
        /// The operation.
        what: &'static str,
        /// Key of the object, or a prefix or bucket.
        key: String,
        /// The store's error text.
        detail: String,
    },
    /// A local file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// Path of the file.
        path: String,
        /// The cause.
        error: std::io::Error,
    },
}

/// HTTP status of the response, if there was one.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Converts an error of the SDK; a 404 becomes [`StoreError::Missing`], a missing right [`StoreError::Denied`].
///
/// A missing bucket is an outage: its volume may not be mounted. It says nothing about the object.
pub(super) fn refused<E>(what: &'static str, key: &str) -> impl FnOnce(SdkError<E>) -> StoreError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let key = key.to_owned();
    move |error| {
        if status(&error) == Some(404) && error.code() != Some("NoSuchBucket") {
            return StoreError::Missing { key };
        }
        // The response of a HEAD request has no code. A wrong key or signature has another code.
        if status(&error) == Some(403) && error.code().is_none_or(|code| code == "AccessDenied") {
            return StoreError::Denied { what, key };
        }
        let detail = match (error.code(), status(&error)) {
            (Some(code), _) => format!("{code}: {}", error.message().unwrap_or_default()),
            (None, Some(status)) => format!("status {status}"),
            (None, None) => chain(&error),
        };
        StoreError::Refused { what, key, detail }
    }
}

/// The error and its causes in one line: the SDK's own text is only "dispatch failure".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
