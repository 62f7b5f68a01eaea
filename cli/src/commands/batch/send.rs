use super::{
    item::{Item, Source},
    state::{State, Step},
};
use crate::client::{Backoff, Client, Failure, Job, Upload, job_path};
use anyhow::Result;
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::Value;
use std::path::{Path, PathBuf};

const PATH: &str = "/api/v1/jobs";

/// State shared by all videos of a batch.
pub(super) struct Batch {
    /// Connection to the server.
    pub(super) client: Client,
    /// Steps done so far, on disk.
    pub(super) state: State,
    /// Folder for the outputs.
    pub(super) out: Option<PathBuf>,
    /// Retry jobs that ended without success.
    pub(super) retry_failed: bool,
}

impl Batch {
    /// Returns the id of the video's job, which is created if none exists. `known` is the last step of an earlier run.
    pub(super) async fn job(&self, item: &Item, known: Option<&Step>) -> Result<String> {
        match known {
            None | Some(Step::Batch { .. } | Step::Refused { .. }) => {
                self.create(item, &item.key, None).await
            }
            Some(known @ (Step::Uploading { .. } | Step::Begun { .. })) => {
                self.create(item, &item.key, Some(known)).await
            }
            Some(Step::Accepted { job, .. }) => Ok(job.clone()),
            Some(Step::Ended { job, status, .. }) if status == "succeeded" || !self.retry_failed => {
                Ok(job.clone())
            }
            Some(Step::Ended { job, .. }) => self.retry(item, job).await,
        }
    }

    /// Retries a job. A job that was deleted, or whose file was never stored completely, is replaced by a new one.
    async fn retry(&self, item: &Item, job: &str) -> Result<String> {
        let path = job_path(job)?;
        let replace = match self.client.job(job).await {
            Ok(found) if found.lacks_source() => {
                self.client.delete(&path).await?;
                true
            }
            Ok(_) => false,
            Err(error) if Failure::status(&error) == Some(StatusCode::NOT_FOUND) => true,
            Err(error) => return Err(error),
        };
        if replace {
            // The server stores an idempotency key for a day: the key of a deleted job creates no other job.
            return self.create(item, &format!("{}-{job}", item.key), None).await;
        }
        // Recorded before the retry: after a crash between the two, the next run follows an ended job.
        self.record_accepted(item, job).await?;
        match self.client.act(&format!("{path}/retry")).await {
            // The job is running already, or has nothing to retry.
            Err(error) if Failure::status(&error) == Some(StatusCode::CONFLICT) => {}
            done => drop(done?),
        }
        Ok(job.to_owned())
    }

    /// Creates a video's job, once, even if an earlier run was interrupted.
    async fn create(&self, item: &Item, key: &str, known: Option<&Step>) -> Result<String> {
        let mut options = item.options.clone();
        if options["external_id"].is_null() {
            options["external_id"] = item.key.clone().into();
        }
        let job = match &item.source {
            Source::File(file) => {
                let session = match known {
                    Some(Step::Uploading { upload, .. }) => Some(upload.clone()),
                    _ => None,
                };
                self.upload(item, file, &options, session).await?
            }
            Source::Remote(source) => {
                self.create_from_source(item, source, &options, key, known.is_some())
                    .await?
            }
            Source::Missing(error) => anyhow::bail!("{error}"),
        };
        self.record_accepted(item, &job.id).await?;
        Ok(job.id)
    }

    /// Uploads a file. The upload session is on disk before the first byte is sent, so that a later run creates no
    /// second job.
    async fn upload(
        &self,
        item: &Item,
        file: &Path,
        options: &Value,
        session: Option<String>,
    ) -> Result<Job> {
        let upload = Upload {
            file,
            options,
            session,
            bar: &ProgressBar::hidden(),
        };
        let store = async |session: Option<&str>| {
            let Some(session) = session else {
                // Expired on the server: the step of the next session replaces this one.
                return Ok(());
            };
            let (key, upload) = (item.key.clone(), session.to_owned());
            self.state.add(Step::Uploading { key, upload }).await
        };
        self.client.upload(upload, store, |_| {}).await
    }

    /// Creates a job from a source that the server fetches. With `look`, it first searches for a job that an earlier
    /// request created: the idempotency key finds it for a day, the external id for as long as it exists.
    async fn create_from_source(
        &self,
        item: &Item,
        source: &Value,
        options: &Value,
        key: &str,
        mut look: bool,
    ) -> Result<Job> {
        let begun = Step::Begun {
            key: item.key.clone(),
        };
        self.state.add(begun).await?;
        let mut backoff = Backoff::new();
        loop {
            let found = match look {
                true => self.find(item).await,
                false => Ok(None),
            };
            let created = match found {
                Ok(None) => self.client.create_from_source(source, options, key).await,
                Ok(Some(job)) => return Ok(job),
                Err(error) => Err(error),
            };
            match created {
                Ok(job) => return Ok(job),
                Err(error) => backoff.wait(error).await?,
            }
            look = true;
        }
    }

    /// Finds the job of an earlier request whose answer was lost.
    async fn find(&self, item: &Item) -> Result<Option<Job>> {
        if !item.options["external_id"].is_null() {
            // The user chose this id, and other jobs may have it too.
            return Ok(None);
        }
        let query = [("external_id", item.key.clone()), ("limit", "1".to_owned())];
        let (found, _) = self.client.page(PATH, &query).await?;
        found.into_iter().next().map(Job::parse).transpose()
    }

    async fn record_accepted(&self, item: &Item, job: &str) -> Result<()> {
        let (key, job) = (item.key.clone(), job.to_owned());
        self.state.add(Step::Accepted { key, job }).await
    }
}
