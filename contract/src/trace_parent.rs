use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// A position in a trace: the value of the header `traceparent`, `00-<trace id>-<span id>-<flags>`.
///
/// W3C Trace Context defines it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceParent(String);

impl TraceParent {
    /// Parses a header of version 00. Returns `None` for any other text and for ids that are all zero.
    pub fn parse(header: &str) -> Option<TraceParent> {
        let parts: Vec<_> = header.split('-').collect();
        let ["00", trace, span, flags] = parts[..] else {
            return None;
        };
        let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let id = |text: &str, length| {
            text.len() == length && digits(text) && text.bytes().any(|byte| byte != b'0')
        };
        let valid = id(trace, 32) && id(span, 16) && flags.len() == 2 && digits(flags);
        valid.then(|| TraceParent(header.to_owned()))
    }

    /// The root of a job's trace when no exporter creates one. The trace id is the job's id.
    pub fn of_job(job: Uuid) -> TraceParent {
        let trace = job.simple().to_string();
        let span = &trace[16..];
        TraceParent(format!("00-{trace}-{span}-00"))
    }

    /// The trace id, 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_strictly() {
        let check = |header: &str, expected: Option<&str>| {
            let parent = TraceParent::parse(header);
            assert_eq!(parent.as_ref().map(TraceParent::trace_id), expected, "{header}");
        };
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Some(trace),
        );
        check(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            Some(trace),
        );
        check("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01", None);
        check("00-4bf92f35-00f067aa0ba902b7-01", None);
        check("00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", None);
        check("", None);
        check("\u{e9}", None);
    }

    #[test]
    fn a_job_names_its_trace() {
        let job = Uuid::parse_str("0190b3a8-6f5e-7c2d-9b1a-3e4f5a6b7c8d").unwrap();
        let parent = TraceParent::of_job(job);
        assert_eq!(TraceParent::parse(&parent.to_string()), Some(parent.clone()));
        assert_eq!(parent.trace_id(), job.simple().to_string());
    }
}
