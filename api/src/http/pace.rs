//! The minimum rate at which a body must arrive.

use crate::http::problem::{Code, Problem};
use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use futures_util::{StreamExt, stream};
use std::time::Duration;

/// Longest pause between two pieces of a body.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Time limit of a body that is received as a whole.
const WHOLE_LIMIT: Duration = Duration::from_secs(30);

/// Measures the rate of one request's body.
pub(crate) struct Pace(vidp_pipeline::pace::Pace);

impl Pace {
    /// Starts the first window.
    pub(crate) fn start(min_kib_per_second: u64) -> Self {
        Pace(vidp_pipeline::pace::Pace::start(min_kib_per_second))
    }

    /// Counts bytes that arrived; fails with 408 when a window ends below the minimum rate.
    pub(crate) fn record(&mut self, bytes: usize) -> Result<(), Problem> {
        match self.0.record(bytes) {
            true => Ok(()),
            false => Err(too_slow()),
        }
    }
}

/// The next piece of a body; fails with 408 when it does not arrive in time, and with 400 when the body ends
/// unexpectedly.
pub(crate) async fn timely<T, E: std::fmt::Display>(
    next: impl Future<Output = Result<Option<T>, E>>,
) -> Result<Option<T>, Problem> {
    match tokio::time::timeout(IDLE_LIMIT, next).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(Problem::invalid(format!(
            "the request body ended unexpectedly: {error}"
        ))),
        Err(_) => Err(too_slow()),
    }
}

/// Middleware of routes whose body is received as a whole: the body fails when it is not complete in time.
pub(crate) async fn prompt(request: Request, next: Next) -> Response {
    next.run(request.map(|body| within(body, WHOLE_LIMIT))).await
}

/// A body that fails when it is not complete within `limit`.
fn within(body: Body, limit: Duration) -> Body {
    let deadline = tokio::time::Instant::now() + limit;
    let pieces = stream::unfold(body.into_data_stream(), move |mut body| async move {
        let piece = tokio::time::timeout_at(deadline, body.next()).await;
        let piece = piece.unwrap_or_else(|_| Some(Err(axum::Error::new("it arrived too slowly"))));
        piece.map(|piece| (piece, body))
    });
    Body::from_stream(pieces)
}

fn too_slow() -> Problem {
    Problem::new(Code::TooSlow, "the upload arrived below the minimum rate")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Bytes, to_bytes};

    #[tokio::test]
    async fn a_body_that_never_ends_fails() {
        let check = async |body: Body, limit, expected: Result<&str, &str>| {
            let read = to_bytes(within(body, limit), 100).await;
            match (read, expected) {
                (Ok(bytes), Ok(text)) => assert_eq!(bytes, text),
                (Err(error), Err(part)) => assert!(format!("{error:?}").contains(part), "{error:?}"),
                (read, _) => panic!("{read:?}, expected {expected:?}"),
            }
        };
        check(Body::from("text"), WHOLE_LIMIT, Ok("text")).await;
        check(Body::empty(), WHOLE_LIMIT, Ok("")).await;
        let start = stream::iter([Ok::<_, axum::Error>(Bytes::from("text"))]);
        let endless = Body::from_stream(start.chain(stream::pending()));
        check(endless, Duration::from_millis(50), Err("too slowly")).await;
    }
}
