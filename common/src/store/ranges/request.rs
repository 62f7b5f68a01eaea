use axum::http::{Method, Request, StatusCode, header::RANGE};
use std::ops::Range;

/// A valid request of the child.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    /// The requested bytes.
    pub(super) range: Range<u64>,
    /// Status of the response.
    pub(super) status: StatusCode,
}

impl Wanted {
    /// Parses a GET of `path` for an object of `size` bytes: the whole object, or one range `bytes=first-[last]`.
    pub(super) fn parse<B>(request: &Request<B>, path: &str, size: u64) -> Result<Wanted, StatusCode> {
        if request.uri().path() != path {
            return Err(StatusCode::NOT_FOUND);
        }
        if request.method() != Method::GET {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Some(header) = request.headers().get(RANGE).filter(|_| size > 0) else {
            return Ok(Wanted {
                range: 0..size,
                status: StatusCode::OK,
            });
        };
        let range = header.to_str().ok().and_then(|header| one(header, size));
        Ok(Wanted {
            range: range.ok_or(StatusCode::RANGE_NOT_SATISFIABLE)?,
            status: StatusCode::PARTIAL_CONTENT,
        })
    }
}

fn one(header: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let start: u64 = first.parse().ok()?;
    let end = match last {
        "" => size,
        last => last.parse::<u64>().ok()?.checked_add(1)?.min(size),
    };
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_one_object_is_served() {
        let check = |method: &str, path: &str, range: Option<&str>, size, expected: Result<_, u16>| {
            let mut request = Request::builder().method(method).uri(path);
            if let Some(range) = range {
                request = request.header(RANGE, range);
            }
            let wanted = Wanted::parse(&request.body(()).unwrap(), "/secret", size);
            let found = wanted.map(|wanted| (wanted.range, wanted.status.as_u16()));
            assert_eq!(found.map_err(|status| status.as_u16()), expected, "{range:?}");
        };
        check("GET", "/secret", None, 10, Ok((0..10, 200)));
        check("GET", "/secret", Some("bytes=0-"), 10, Ok((0..10, 206)));
        check("GET", "/secret", Some("bytes=3-5"), 10, Ok((3..6, 206)));
        check("GET", "/secret", Some("bytes=3-99"), 10, Ok((3..10, 206)));
        check("GET", "/secret", Some("bytes=0-"), 0, Ok((0..0, 200)));
        for range in [
            "bytes=10-",
            "bytes=5-3",
            "bytes=-3",
            "bytes=0-1,4-5",
            "rows=1-2",
            "bytes=0-18446744073709551615",
        ] {
            check("GET", "/secret", Some(range), 10, Err(416));
        }
        check("GET", "/other", None, 10, Err(404));
        check("GET", "/", None, 10, Err(404));
        check("PUT", "/secret", None, 10, Err(405));
    }
}
