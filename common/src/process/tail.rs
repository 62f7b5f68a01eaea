//! The last lines of a child program's standard error.

use std::collections::VecDeque;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Number of lines that an error message includes.
const TAIL_LINES: usize = 20;
/// Maximum length of a line in characters.
const TAIL_WIDTH: usize = 500;

/// The last lines, oldest first.
#[derive(Default)]
pub(super) struct Tail(VecDeque<String>);

impl Tail {
    fn push(&mut self, line: &str) {
        if self.0.len() == TAIL_LINES {
            self.0.pop_front();
        }
        let line = without_queries(line);
        self.0.push_back(line.chars().take(TAIL_WIDTH).collect());
    }

    pub(super) fn text(self) -> String {
        self.0.into_iter().collect::<Vec<_>>().join("\n")
    }
}

/// Removes the queries of URLs. The signature in a presigned URL grants access to the file, and tails are logged.
fn without_queries(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.split_once('?') {
        Some((place, _)) if place.contains("://") => format!("{place}?..."),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Reads standard error to its end, so that the child never blocks on it.
pub(super) async fn follow(mut stderr: impl AsyncRead + Unpin, mut on_line: impl FnMut(&str)) -> Tail {
    let mut tail = Tail::default();
    let mut pending = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let read = stderr.read(&mut buffer).await.unwrap_or(0);
        for &byte in &buffer[..read] {
            if byte != b'\n' && byte != b'\r' {
                pending.push(byte);
            }
            let ended = byte == b'\n' || byte == b'\r' || pending.len() == buffer.len();
            if ended && !pending.is_empty() {
                let line = String::from_utf8_lossy(&pending);
                on_line(&line);
                tail.push(&line);
                pending.clear();
            }
        }
        if read == 0 {
            if !pending.is_empty() {
                tail.push(&String::from_utf8_lossy(&pending));
            }
            return tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_stay_out_of_the_log() {
        let check = |line, expected: &str| assert_eq!(without_queries(line), expected);
        check(
            "http://s3:9000/vidp/uploads/1/source?X-Amz-Signature=0a1b: Server returned 403 Forbidden",
            "http://s3:9000/vidp/uploads/1/source?... Server returned 403 Forbidden",
        );
        check(
            "[mov] moov atom not found, why?",
            "[mov] moov atom not found, why?",
        );
    }
}
