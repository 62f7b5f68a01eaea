//! An upload by tus 1.0.0: one that breaks goes on where the server is.

use super::{Client, Failure, Job, content_type, failure, job_path, upload};
use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use indicatif::ProgressBar;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use std::{io::SeekFrom, path::Path, time::Duration};
use tokio::io::AsyncSeekExt;

/// A complete upload becomes a job in the same moment, or when the server's sweeper comes by.
const JOB_TRIES: u32 = 120;
const JOB_PAUSE: Duration = Duration::from_secs(1);
const OFFSET: &str = "upload-offset";

impl Client {
    /// Begins an upload of a file; gives its path on the server. No bytes are sent yet.
    pub async fn begin_upload(&self, file: &Path, options: &Value) -> Result<String> {
        let (_, size) = upload::open(file).await?;
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
        // Of this server, whatever address a proxy has put before it: the key goes along.
        let path = location.rfind("/files/").map(|at| location[at..].to_owned());
        path.context("the server does not say where the upload is")
    }

    /// Sends what the server does not have yet of an upload's file, and gives the job that it becomes; none, when the
    /// server knows neither. After an error it may be called again, and goes on. `bar` shows the bytes that the server
    /// has.
    pub async fn send_rest(&self, file: &Path, path: &str, bar: &ProgressBar) -> Result<Option<Job>> {
        let id = path.rsplit('/').next().unwrap_or_default();
        let (mut opened, size) = upload::open(file).await?;
        let Some(mut offset) = self.offset(path).await? else {
            // Its time is over, and that of its job may not be.
            return match self.job(id).await {
                Err(error) if Failure::status(&error) == Some(StatusCode::NOT_FOUND) => Ok(None),
                job => job.map(Some),
            };
        };
        bar.set_position(offset);
        // What was there before says nothing of the speed.
        bar.reset_eta();
        while offset < size {
            opened.seek(SeekFrom::Start(offset)).await?;
            let request = self
                .tus(Method::PATCH, path)
                .header(header::CONTENT_TYPE, "application/offset+octet-stream")
                .header(header::CONTENT_LENGTH, size - offset)
                .header(OFFSET, offset)
                .body(upload::body(opened.try_clone().await?, bar));
            offset = offset_of(&self.send(request).await?)?;
        }
        self.job_of_upload(id).await.map(Some)
    }

    /// How far an upload has come; `None` when the server does not have it any more.
    async fn offset(&self, path: &str) -> Result<Option<u64>> {
        let answer = self.answer(self.tus(Method::HEAD, path)).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            _ => Ok(Some(offset_of(&failure::accepted(answer).await?)?)),
        }
    }

    async fn job_of_upload(&self, id: &str) -> Result<Job> {
        for _ in 0..JOB_TRIES {
            match self.get(&job_path(id)?).await {
                Ok(answer) => return Job::parse(answer.json().await?),
                Err(error) => match Failure::status(&error) {
                    Some(StatusCode::NOT_FOUND) => tokio::time::sleep(JOB_PAUSE).await,
                    // A key may upload and not read.
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
        anyhow::bail!("the upload {id} is complete, and the server has made no job of it yet")
    }

    fn tus(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        request.header("tus-resumable", "1.0.0")
    }
}

fn offset_of(answer: &Response) -> Result<u64> {
    let offset = answer.headers().get(OFFSET);
    let offset = offset.and_then(|offset| offset.to_str().ok()?.parse().ok());
    offset.context("the server does not say how far the upload has come")
}
