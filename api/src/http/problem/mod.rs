//! Error responses: RFC 9457 `application/problem+json` with a stable `code` and a request id.

mod codes;

use axum::{
    Json,
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderValue, Response, StatusCode, header},
    middleware::Next,
    response::IntoResponse,
};
pub(crate) use codes::Code;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_common::{queue::QueueError, store::StoreError};
use vidp_record::db::DbError;

const REQUEST_ID: &str = "x-request-id";

/// An error response, before [`render`] writes its body.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: String,
    /// The internal cause, which is only logged.
    cause: Option<String>,
    /// Seconds until the same request may succeed, if known.
    retry_after: Option<u32>,
}

impl Problem {
    /// Creates a problem with a sentence for the client.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem {
            code,
            detail: detail.into(),
            cause: None,
            retry_after: None,
        }
    }

    /// Sets `Retry-After`, in seconds.
    pub(crate) fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The code, for programs.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The sentence for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// 400: the request is invalid.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Problem::new(Code::InvalidRequest, detail)
    }

    /// A problem for a response of the framework, which has none.
    fn plain(status: StatusCode) -> Option<Self> {
        // The body of `/ready` names the missing dependencies.
        (status != StatusCode::SERVICE_UNAVAILABLE).then(|| {
            let reason = status.canonical_reason().unwrap_or("refused");
            let code = Code::ALL.iter().find(|code| code.status() == status);
            Problem::new(*code.unwrap_or(&Code::InvalidRequest), reason.to_lowercase())
        })
    }

    /// 404: the caller has no `what` with this id.
    pub(crate) fn none(what: &str) -> Self {
        Problem::new(Code::NotFound, format!("there is no {what} with this id"))
    }

    /// 404: the caller has no job with this id.
    pub(crate) fn no_job() -> Self {
        Problem::none("job")
    }

    /// 413: the file is larger than the settings allow.
    pub(crate) fn too_large(max_mb: u64) -> Self {
        Problem::new(
            Code::UploadTooLarge,
            format!("the file is larger than {max_mb} MB"),
        )
    }

    /// 409: the state of the resource does not allow the request.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Problem::new(Code::Conflict, detail)
    }

    /// 503: a dependency is down; the same request may succeed later.
    pub(crate) fn unavailable(what: &str, cause: impl ToString) -> Self {
        Problem {
            cause: Some(cause.to_string()),
            ..Problem::new(
                Code::Unavailable,
                format!("{what} is unavailable at the moment; retry after a pause"),
            )
        }
    }

    /// 500: an error of the server.
    pub(crate) fn internal(cause: impl ToString) -> Self {
        Problem {
            cause: Some(cause.to_string()),
            ..Problem::new(Code::Internal, "the server failed to process the request")
        }
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound => Problem::no_job(),
            // A retry would not help.
            DbError::Undecodable(error) => Problem::internal(error),
            DbError::TooLong => Problem {
                cause: Some(error.to_string()),
                ..Problem::new(
                    Code::Unavailable,
                    "the database did not find the answer in time; narrow the request, for example by created_after",
                )
            },
            error => Problem::unavailable("the database", error),
        }
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        Problem::unavailable("the message broker", error)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { .. } => Problem::new(Code::NotFound, "the file no longer exists"),
            error => Problem::unavailable("the object store", error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Middleware that gives every request an id and every problem its body.
///
/// A client may send the id in `X-Request-Id`: up to 64 letters, digits and `-_.`. Otherwise it is a UUIDv7.
pub(crate) async fn render(request: Request, next: Next) -> Response<Body> {
    let sent = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let valid = |id: &&str| {
        id.len() <= 64
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let id = sent
        .filter(valid)
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    // The path may contain a grant, which is a secret.
    let route = request.extensions().get::<MatchedPath>();
    let path = match route.map(MatchedPath::as_str) {
        Some(route) if route.contains("{grant}") => route.to_owned(),
        _ => request.uri().path().to_owned(),
    };
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let problem = response.extensions_mut().remove::<Problem>();
    // The framework itself refuses some requests, such as a path that is not UTF-8.
    let problem = problem.or_else(|| refused.then(|| Problem::plain(response.status())).flatten());
    if let Some(problem) = problem {
        if let Some(cause) = &problem.cause {
            tracing::warn!(request = %id, %method, path, status = problem.code.status().as_u16(), "{cause}");
        }
        let headers = std::mem::take(response.headers_mut());
        response = body(&problem, &id);
        // The handler's other headers stay, such as the size after a range that is not satisfiable.
        let others = headers
            .iter()
            .filter(|(name, _)| **name != header::CONTENT_LENGTH);
        for (name, value) in others {
            response
                .headers_mut()
                .entry(name)
                .or_insert_with(|| value.clone());
        }
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The JSON body of a problem: RFC 9457, with the additional members `code` and `request_id`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// Always `about:blank`; `code` identifies the problem.
    r#type: &'static str,
    /// The reason phrase of the status.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// Identifies the problem for programs; never changes.
    code: &'static str,
    /// The reason, as a sentence for people.
    detail: &'a str,
    /// Identifies the request in the server's log.
    request_id: &'a str,
}

fn body(problem: &Problem, id: &str) -> Response<Body> {
    let status = problem.code.status();
    let body = ProblemBody {
        r#type: "about:blank",
        title: problem.code.title(),
        status: status.as_u16(),
        code: problem.code.as_str(),
        detail: &problem.detail,
        request_id: id,
    };
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Some(seconds) = problem.retry_after.or(problem.code.retry_after()) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
