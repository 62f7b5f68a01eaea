use super::{backoff::Backoff, connection::Client, job::Job};
use anyhow::Result;
use indicatif::ProgressBar;
use serde_json::Value;
use std::path::Path;

/// A resumable upload of one file.
pub struct Upload<'a> {
    /// The file to send.
    pub file: &'a Path,
    /// Options of the job.
    pub options: &'a Value,
    /// Path of the upload session on the server, if an earlier run created one.
    pub session: Option<String>,
    /// Shows the bytes that the server has.
    pub bar: &'a ProgressBar,
}

impl Client {
    /// Uploads a file and returns its job. Resumes after every interruption, with growing pauses.
    ///
    /// `store` gets the path of a new upload session before its first byte is sent, and `None` when the session has
    /// expired on the server. After a crash, the caller passes the stored path in [`Upload::session`]. `interrupted`
    /// gets the text of each error that the upload resumes after.
    pub async fn upload(
        &self,
        upload: Upload<'_>,
        mut store: impl AsyncFnMut(Option<&str>) -> Result<()>,
        interrupted: impl Fn(&str),
    ) -> Result<Job> {
        let Upload {
            file,
            options,
            mut session,
            bar,
        } = upload;
        let mut backoff = Backoff::new();
        loop {
            let sent = match &session {
                Some(path) => self.send_rest(file, path, bar).await,
                None => match self.begin_upload(file, options).await {
                    Ok(path) => {
                        store(Some(&path)).await?;
                        session = Some(path);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match sent {
                Ok(Some(job)) => return Ok(job),
                Ok(None) => {
                    store(None).await?;
                    session = None;
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    backoff.wait(error).await?;
                    interrupted(&reason);
                }
            }
        }
    }
}
