use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use indicatif::ProgressBar;
use reqwest::Body;
use std::path::Path;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

/// Bytes read from the file at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Opens a file for an upload; also returns its size in bytes.
pub(super) async fn open(file: &Path) -> Result<(File, u64)> {
    let shown = file.display();
    let opened = File::open(file).await.with_context(|| format!("open {shown}"))?;
    let meta = opened.metadata().await?;
    ensure!(meta.is_file(), "{shown} is not a file");
    Ok((opened, meta.len()))
}

/// A request body with the bytes from the file's position on; `bar` counts the sent bytes.
pub(super) fn body(opened: File, bar: &ProgressBar) -> Body {
    let counted = bar.clone();
    let bytes = ReaderStream::with_capacity(opened, CHUNK_BYTES);
    Body::wrap_stream(bytes.inspect_ok(move |chunk| counted.inc(chunk.len() as u64)))
}

/// The media type by the file name's extension. It is a hint only: the server probes the content.
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
