//! What uploads of files and of references share: patience, and bytes of the disk.

use super::{Client, Failure, Job};
use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use indicatif::ProgressBar;
use reqwest::Body;
use serde_json::Value;
use std::{path::Path, time::Duration};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

/// Bytes read from the file at once.
const CHUNK: usize = 256 * 1024;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Two and a half minutes of pauses: an upload whose server died keeps its idempotency key for two.
const TRIES: u32 = 9;
/// Draft-ietf-httpapi-idempotency-key-header; the value is a string of structured fields, in quotes.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Pauses between tries, each twice as long as the last, until there have been enough.
pub struct Patience(u32);

impl Patience {
    /// With all tries left.
    pub fn new() -> Patience {
        Patience(0)
    }

    /// Waits before the next try, as long as the server says if it does; or gives the error back, when trying again
    /// does not help or has been done often enough.
    pub async fn pause(&mut self, error: anyhow::Error) -> Result<()> {
        self.0 += 1;
        if !Failure::may_pass(&error) || self.0 >= TRIES {
            return Err(error);
        }
        let pause = Failure::retry_after(&error).unwrap_or_else(|| pause(self.0));
        tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        Ok(())
    }
}

fn pause(tries: u32) -> Duration {
    LONGEST_PAUSE.min(FIRST_PAUSE * 2u32.pow(tries.saturating_sub(1).min(10)))
}

impl Client {
    /// Makes a job of a source that the server fetches, once for each idempotency key.
    pub async fn refer(&self, source: &Value, options: &Value, key: &str) -> Result<Job> {
        let body = serde_json::json!({ "source": source, "options": options });
        let request = self.http.post(self.url("/api/v1/jobs")).json(&body);
        let request = request.header(IDEMPOTENCY_KEY, format!("\"{key}\""));
        Job::parse(self.send(request).await?.json().await?)
    }
}

/// Opens a file that is to be sent; gives its size in bytes.
pub(super) async fn open(file: &Path) -> Result<(File, u64)> {
    let shown = file.display();
    let opened = File::open(file).await.with_context(|| format!("open {shown}"))?;
    let meta = opened.metadata().await?;
    ensure!(meta.is_file(), "{shown} is not a file");
    Ok((opened, meta.len()))
}

/// The bytes from where the file is, as they are sent; `bar` counts them.
pub(super) fn body(opened: File, bar: &ProgressBar) -> Body {
    let counted = bar.clone();
    let bytes = ReaderStream::with_capacity(opened, CHUNK);
    Body::wrap_stream(bytes.inspect_ok(move |chunk| counted.inc(chunk.len() as u64)))
}

/// By the name's end; the server looks into the file itself.
pub fn content_type(file: &Path) -> &'static str {
    let end = file.extension().unwrap_or_default().to_ascii_lowercase();
    match end.to_str().unwrap_or_default() {
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        "webm" => "video/webm",
        "avi" => "video/x-msvideo",
        "ts" | "m2ts" => "video/mp2t",
        "mpg" | "mpeg" => "video/mpeg",
        "ogg" => "audio/ogg",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_outlast_an_idempotency_key_whose_server_died() {
        assert_eq!(pause(1), Duration::from_secs(1));
        assert_eq!(pause(4), Duration::from_secs(8));
        assert_eq!(pause(60), LONGEST_PAUSE);
        let all: Duration = (1..TRIES).map(pause).sum();
        assert!(
            all > Duration::from_secs(120) && all < Duration::from_secs(180),
            "{all:?}"
        );
    }
}
