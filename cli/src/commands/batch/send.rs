//! How a video of a batch becomes a job, and no second one, however often that breaks off.

use super::{
    items::{Item, Source},
    state::Step,
    work::Batch,
};
use crate::client::{Failure, Job, Patience, job_path};
use anyhow::Result;
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::Value;
use std::path::Path;

const PATH: &str = "/api/v1/jobs";

impl Batch {
    /// The id of the video's job, which is made if there is none.
    pub(super) async fn job(&self, item: &Item, known: Option<&Step>) -> Result<String> {
        match known {
            None | Some(Step::Batch { .. } | Step::Refused { .. }) => self.make(item, &item.key, None).await,
            Some(known @ (Step::Uploading { .. } | Step::Begun { .. })) => {
                self.make(item, &item.key, Some(known)).await
            }
            Some(Step::Accepted { job, .. }) => Ok(job.clone()),
            Some(Step::Ended { job, status, .. }) if status == "succeeded" || !self.retry_failed => {
                Ok(job.clone())
            }
            Some(Step::Ended { job, .. }) => self.again(item, job).await,
        }
    }

    /// Retries a job; one that is gone, or whose file never came whole, is made anew.
    async fn again(&self, item: &Item, job: &str) -> Result<String> {
        let path = job_path(job)?;
        let anew = match self.client.job(job).await {
            Ok(found) if found.is_remains() => {
                self.client.delete(&path).await?;
                true
            }
            Ok(_) => false,
            Err(error) if Failure::status(&error) == Some(StatusCode::NOT_FOUND) => true,
            Err(error) => return Err(error),
        };
        if anew {
            // The key of a job that was deleted makes no other for a day.
            return self.make(item, &format!("{}-{job}", item.key), None).await;
        }
        // Before the retry: whoever is killed between the two follows a job that has ended.
        self.accepted(item, job).await?;
        match self.client.act(&format!("{path}/retry")).await {
            // It runs already, or there is nothing to retry.
            Err(error) if Failure::status(&error) == Some(StatusCode::CONFLICT) => {}
            done => drop(done?),
        }
        Ok(job.to_owned())
    }

    /// Makes a video's job, however often that breaks off.
    async fn make(&self, item: &Item, key: &str, known: Option<&Step>) -> Result<String> {
        let mut options = item.options.clone();
        if options["external_id"].is_null() {
            options["external_id"] = item.key.clone().into();
        }
        let job = match &item.source {
            Source::File(file) => {
                let upload = match known {
                    Some(Step::Uploading { upload, .. }) => Some(upload.clone()),
                    _ => None,
                };
                self.upload(item, file, &options, upload).await?
            }
            Source::Remote(source) => self.refer(item, source, &options, key, known.is_some()).await?,
            Source::Missing(error) => anyhow::bail!("{error}"),
        };
        self.accepted(item, &job.id).await?;
        Ok(job.id)
    }

    /// Uploads a file. Where the upload is, is on the disk before its first byte is sent: there is no other job of it.
    async fn upload(
        &self,
        item: &Item,
        file: &Path,
        options: &Value,
        mut upload: Option<String>,
    ) -> Result<Job> {
        let mut patience = Patience::new();
        loop {
            let sent = match &upload {
                Some(path) => {
                    let sent = self.client.send_rest(file, path, &ProgressBar::hidden()).await;
                    if let Ok(None) = sent {
                        upload = None;
                    }
                    sent
                }
                None => match self.client.begin_upload(file, options).await {
                    Ok(path) => {
                        let (key, begun) = (item.key.clone(), path.clone());
                        self.state.add(Step::Uploading { key, upload: begun }).await?;
                        upload = Some(path);
                        Ok(None)
                    }
                    Err(error) => Err(error),
                },
            };
            match sent {
                Ok(Some(job)) => return Ok(job),
                Ok(None) => {}
                Err(error) => patience.pause(error).await?,
            }
        }
    }

    /// Names a source to the server. `look` says that there may be a job of it: the idempotency key would find it for a
    /// day, the external id does so for as long as it exists.
    async fn refer(
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
        let mut patience = Patience::new();
        loop {
            let found = match look {
                true => self.find(item).await,
                false => Ok(None),
            };
            let made = match found {
                Ok(None) => self.client.refer(source, options, key).await,
                Ok(Some(job)) => return Ok(job),
                Err(error) => Err(error),
            };
            match made {
                Ok(job) => return Ok(job),
                Err(error) => patience.pause(error).await?,
            }
            look = true;
        }
    }

    /// The job that an earlier request has made, whose answer was lost.
    async fn find(&self, item: &Item) -> Result<Option<Job>> {
        if !item.options["external_id"].is_null() {
            // It is the user's, and may be that of other jobs.
            return Ok(None);
        }
        let query = [("external_id", item.key.clone()), ("limit", "1".to_owned())];
        let (found, _) = self.client.page(PATH, &query).await?;
        found.into_iter().next().map(Job::parse).transpose()
    }

    async fn accepted(&self, item: &Item, job: &str) -> Result<()> {
        let (key, job) = (item.key.clone(), job.to_owned());
        self.state.add(Step::Accepted { key, job }).await
    }
}
