use super::{
    backoff::Backoff,
    connection::{CONNECT_TIMEOUT, Client},
    failure::require_success,
    job::{Job, job_path},
};
use anyhow::Result;
use reqwest::{StatusCode, header};
use std::time::Duration;

/// Seconds for which one poll waits for a change.
const POLL_SECONDS: u64 = 20;

impl Client {
    /// Follows a job until it has ended, and calls `seen` at every change.
    ///
    /// Retries for a while when the server does not answer: it may be restarting.
    pub async fn follow(&self, id: &str, mut seen: impl FnMut(&Job)) -> Result<Job> {
        let path = job_path(id)?;
        let mut etag = None;
        let mut backoff = Backoff::new();
        loop {
            match self.poll(&path, &mut etag).await {
                Ok(Some(job)) => {
                    seen(&job);
                    if job.has_ended() {
                        return Ok(job);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    backoff.wait(error).await?;
                    continue;
                }
            }
            backoff = Backoff::new();
        }
    }

    /// Waits until the job differs from `etag`; `None` when it did not change in time.
    async fn poll(&self, path: &str, etag: &mut Option<header::HeaderValue>) -> Result<Option<Job>> {
        let mut request = self
            .http
            .get(self.url(path))
            .query(&[("wait", POLL_SECONDS)])
            .timeout(Duration::from_secs(POLL_SECONDS) + CONNECT_TIMEOUT);
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag.clone());
        }
        let answer = self.answer(request).await?;
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let answer = require_success(answer).await?;
        *etag = answer.headers().get(header::ETAG).cloned();
        let document = answer.json().await.map_err(|cause| self.no_answer(cause))?;
        Ok(Some(Job::parse(document)?))
    }
}
