//! A job, until it is over.

use super::{CONNECT, Client, Failure, Job, failure::accepted, job_path, upload::Patience};
use anyhow::Result;
use reqwest::{StatusCode, header};
use std::time::Duration;

/// How long one poll waits for a change, in seconds.
const WAIT: u64 = 20;

impl Client {
    /// Follows a job until it is over, and calls `seen` at every change. A server that does not answer is tried again
    /// for a while: it may be restarting.
    pub async fn follow(&self, id: &str, mut seen: impl FnMut(&Job)) -> Result<Job> {
        let path = job_path(id)?;
        let mut etag = None;
        let mut patience = Patience::new();
        loop {
            match self.poll(&path, &mut etag).await {
                Ok(Some(job)) => {
                    seen(&job);
                    if job.is_over() {
                        return Ok(job);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    patience.pause(error).await?;
                    continue;
                }
            }
            patience = Patience::new();
        }
    }

    /// The job once it is not `etag` any more; `None` when it did not change.
    async fn poll(&self, path: &str, etag: &mut Option<header::HeaderValue>) -> Result<Option<Job>> {
        let mut request = self
            .http
            .get(self.url(path))
            .query(&[("wait", WAIT)])
            .timeout(Duration::from_secs(WAIT) + CONNECT);
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag.clone());
        }
        let answer = self.answer(request).await?;
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let answer = accepted(answer).await?;
        *etag = answer.headers().get(header::ETAG).cloned();
        let document = answer.json().await.map_err(|cause| Failure::NoAnswer {
            server: self.server.clone(),
            cause,
        })?;
        Ok(Some(Job::parse(document)?))
    }
}
