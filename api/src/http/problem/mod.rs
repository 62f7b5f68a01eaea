//! Errors as clients see them: RFC 9457 `application/problem+json` with a stable `code` and a request id.

mod codes;

use axum::{
    Json,
    body::Body,
    extract::Request,
    http::{HeaderValue, Response, StatusCode, header},
    middleware::Next,
    response::IntoResponse,
};
pub use codes::Code;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use vidp_common::{queue::QueueError, store::StoreError};
use vidp_record::db::DbError;

const REQUEST_ID: &str = "x-request-id";

/// An answer that is not what the client hoped for.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    /// What really happened, for the log alone.
    cause: Option<String>,
    /// Seconds until the same request may succeed, when it is known.
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem with a sentence for the client.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem {
            code,
            detail: detail.into(),
            cause: None,
            retry_after: None,
        }
    }

    /// The same request may succeed after so many seconds.
    pub fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What is wrong, for programs.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// 400: the request itself is wrong.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Problem::new(Code::InvalidRequest, detail)
    }

    /// For an answer that has none of its own.
    fn plain(status: StatusCode) -> Option<Self> {
        // `/ready` says what is missing in its own words.
        (status != StatusCode::SERVICE_UNAVAILABLE).then(|| {
            let reason = status.canonical_reason().unwrap_or("refused");
            let code = Code::ALL.iter().find(|code| code.status() == status);
            Problem::new(*code.unwrap_or(&Code::InvalidRequest), reason.to_lowercase())
        })
    }

    /// 404: the caller has no such `what`.
    pub fn none(what: &str) -> Self {
        Problem::new(Code::NotFound, format!("there is no {what} with this id"))
    }

    /// 404: the caller has no such job.
    pub fn no_job() -> Self {
        Problem::none("job")
    }

    /// 413: larger than the settings allow.
    pub fn too_large(max_mb: u64) -> Self {
        Problem::new(
            Code::UploadTooLarge,
            format!("the file is larger than {max_mb} MB"),
        )
    }

    /// 409: the job's state forbids it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Problem::new(Code::Conflict, detail)
    }

    /// 503: a dependency is down; the same request may succeed later.
    pub fn unavailable(what: &str, cause: impl ToString) -> Self {
        Problem {
            cause: Some(cause.to_string()),
            ..Problem::new(
                Code::Unavailable,
                format!("{what} cannot be reached at the moment; try again soon"),
            )
        }
    }

    /// 500: a fault of ours.
    pub fn internal(cause: impl ToString) -> Self {
        Problem {
            cause: Some(cause.to_string()),
            ..Problem::new(Code::Internal, "something went wrong on our side")
        }
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound => Problem::no_job(),
            // A fault of the server that would not pass.
            DbError::Undecodable(error) => Problem::internal(error),
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
            StoreError::Missing { .. } => Problem::new(Code::NotFound, "the file is not there any more"),
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

/// Gives every request an id and every problem its body. The id is the client's own, if it sent a sensible one.
pub async fn render(request: Request, next: Next) -> Response<Body> {
    let sent = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let sensible = |id: &&str| {
        id.len() <= 64
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let id = sent
        .filter(sensible)
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let problem = response.extensions_mut().remove::<Problem>();
    // What the framework refuses by itself, such as a path that is no UTF-8.
    let problem = problem.or_else(|| refused.then(|| Problem::plain(response.status())).flatten());
    if let Some(problem) = problem {
        if let Some(cause) = &problem.cause {
            tracing::warn!(request = %id, %method, path, status = problem.code.status().as_u16(), "{cause}");
        }
        let own = std::mem::take(response.headers_mut());
        response = body(&problem, &id);
        // What the handler said besides, such as the size behind a range that is not there.
        let others = own.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH);
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

/// What a problem looks like on the wire: RFC 9457, with two members of our own.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Always `about:blank`: the code says what it is.
    r#type: &'static str,
    /// The status in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// Stable, for programs.
    code: &'static str,
    /// What is wrong, for people.
    detail: &'a str,
    /// Names this request in the server's log.
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
