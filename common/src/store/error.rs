use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("no object {key}")]
    Missing {
        /// Its key.
        key: String,
    },
    /// The object is not the one that was stored: its size or SHA-256 differs.
    #[error("object {key} is not what was stored: {detail}")]
    Corrupt {
        /// Its key.
        key: String,
        /// Expected and found.
        detail: String,
    },
    /// The store refused or did not answer.
    #[error("{what} {key}: {detail}")]
    Refused {
        /// The operation.
        what: &'static str,
        /// The object.
        key: String,
        /// What the store said.
        detail: String,
    },
    /// A local file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

pub(super) fn refused<E>(what: &'static str, key: &str) -> impl FnOnce(SdkError<E>) -> StoreError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let key = key.to_owned();
    move |error| {
        if status(&error) == Some(404) {
            return StoreError::Missing { key };
        }
        let detail = match (error.code(), status(&error)) {
            (Some(code), _) => format!("{code}: {}", error.message().unwrap_or_default()),
            (None, Some(status)) => format!("status {status}"),
            (None, None) => chain(&error),
        };
        StoreError::Refused { what, key, detail }
    }
}

/// The causes in one line: the SDK's own text is only "dispatch failure".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
