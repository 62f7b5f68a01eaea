//! The header `Retry-After` of an answer (RFC 9110, section 10.2.3).

use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// Longest pause that a server may ask for. A longer one is shortened to it.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// The pause that a server asks for, in seconds or until a date; zero without the header, for a time in the past, and for a value
/// that is neither.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Duration {
    let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let Some(text) = value.map(str::trim).filter(|text| !text.is_empty()) else {
        return Duration::ZERO;
    };
    let pause = match text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that is too large for the type is also longer than the maximum.
        true => text.parse().map_or(MAX_PAUSE, Duration::from_secs),
        false => {
            let date = httpdate::parse_http_date(text).ok();
            let pause = date.and_then(|date| date.duration_since(now).ok());
            pause.unwrap_or_default()
        }
    };
    pause.min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_ask_for_pauses() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let check = |value: &str, expected: u64| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now).as_secs(), expected, "{value}");
        };
        check("20", 20);
        check(" 20 ", 20);
        check("0", 0);
        check("Thu, 01 Jan 2026 00:00:20 GMT", 20);
        check("Thursday, 01-Jan-26 00:00:20 GMT", 20);
        check("Thu Jan  1 00:00:20 2026", 20);
        check("Wed, 31 Dec 2025 23:59:00 GMT", 0);
        // Longer than an hour.
        check("3601", 3600);
        check("31536000", 3600);
        check("99999999999999999999999999", 3600);
        check("Fri, 01 Jan 2027 00:00:00 GMT", 3600);
        for neither in [
            "-1",
            "+20",
            "1.5",
            "20 s",
            "soon",
            "",
            "Thu, 32 Jan 2026 00:00:20 GMT",
            "２０",
        ] {
            if let Ok(value) = neither.parse() {
                let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
                assert_eq!(retry_after(&headers, now), Duration::ZERO, "{neither}");
            }
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), Duration::ZERO);
    }
}
