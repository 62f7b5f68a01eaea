//! The requests of a resumable upload, tus 1.0.0.

use super::{
    connection::Client,
    failure::{Failure, require_success},
    job::{Job, job_path},
    source_file::{self, content_type},
};
use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use indicatif::ProgressBar;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use std::{io::SeekFrom, path::Path, time::Duration};
use tokio::io::AsyncSeekExt;

/// A complete upload becomes a job at once, or when the server's sweeper finds it; so the client polls for two minutes.
const JOB_TRIES: u32 = 120;
const JOB_PAUSE: Duration = Duration::from_secs(1);
const OFFSET: &str = "upload-offset";

impl Client {
    /// Creates an upload session for a file and returns its path on the server. Sends no bytes yet.
    pub(super) async fn begin_upload(&self, file: &Path, options: &Value) -> Result<String> {
        let (_, size) = source_file::open(file).await?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let metadata = [
            ("filename", name.as_ref()),
            ("filetype", content_type(file)),
            ("options", &options.to_string()),
        ]
        .map(|(key, value)| format!("{key} {}", BASE64_STANDARD.encode(value)));
        let request = self
            .tus(Method::POST, "/files")
            .header("upload-length", size)
            .header("upload-metadata", metadata.join(","));
        let answer = self.send(request).await?;
        let location = answer.headers().get(header::LOCATION);
        let location = location.and_then(|url| url.to_str().ok()).unwrap_or_default();
        // Only the path is used, not the host, which a proxy may have changed: the API key is sent to no other server.
        let path = location.rfind("/files/").map(|at| location[at..].to_owned());
        path.context("the server's answer does not contain the upload's address")
    }

    /// Sends the bytes that the server does not have yet, and returns the job that the upload becomes; `None` when the
    /// server knows neither. `bar` shows the bytes that the server has.
    ///
    /// After an error it may be called again, and resumes.
    pub(super) async fn send_rest(&self, file: &Path, path: &str, bar: &ProgressBar) -> Result<Option<Job>> {
        let id = path.rsplit('/').next().unwrap_or_default();
        let (mut opened, size) = source_file::open(file).await?;
        let Some(mut offset) = self.offset(path).await? else {
            // The upload session has expired; its job may still exist.
            return match self.job(id).await {
                Err(error) if Failure::status(&error) == Some(StatusCode::NOT_FOUND) => Ok(None),
                job => job.map(Some),
            };
        };
        bar.set_position(offset);
        // Bytes of an earlier run must not count as speed.
        bar.reset_eta();
        while offset < size {
            opened.seek(SeekFrom::Start(offset)).await?;
            let request = self
                .tus(Method::PATCH, path)
                .header(header::CONTENT_TYPE, "application/offset+octet-stream")
                .header(header::CONTENT_LENGTH, size - offset)
                .header(OFFSET, offset)
                .body(source_file::body(opened.try_clone().await?, bar));
            offset = offset_of(&self.send(request).await?)?;
        }
        self.job_of_upload(id).await.map(Some)
    }

    /// The number of bytes that the server has; `None` when the upload session does not exist.
    async fn offset(&self, path: &str) -> Result<Option<u64>> {
        let answer = self.answer(self.tus(Method::HEAD, path)).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            _ => Ok(Some(offset_of(&require_success(answer).await?)?)),
        }
    }

    async fn job_of_upload(&self, id: &str) -> Result<Job> {
        for _ in 0..JOB_TRIES {
            match self.get(&job_path(id)?).await {
                Ok(answer) => return Job::parse(answer.json().await?),
                Err(error) => match Failure::status(&error) {
                    Some(StatusCode::NOT_FOUND) => tokio::time::sleep(JOB_PAUSE).await,
                    // A key may have the scope to upload and not the scope to read.
                    Some(StatusCode::FORBIDDEN) => {
                        return Job::parse(
                            json!({ "id": id, "status": "uploading", "stages": {}, "source": {},
                            "created_at": "", "updated_at": "" }),
                        );
                    }
                    _ => return Err(error),
                },
            }
        }
        anyhow::bail!("the upload {id} is complete, but the server has not created its job yet")
    }

    fn tus(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        request.header("tus-resumable", "1.0.0")
    }
}

fn offset_of(answer: &Response) -> Result<u64> {
    let offset = answer.headers().get(OFFSET);
    let offset = offset.and_then(|offset| offset.to_str().ok()?.parse().ok());
    offset.context("the server's answer does not contain the upload's offset")
}
