//! One video of a batch: sent once, followed to its end, its outputs fetched.

use super::{
    items::{Item, Source},
    state::{State, Step},
};
use crate::{
    client::{Client, Failure, Job, Patience, job_path},
    fetch,
};
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use reqwest::StatusCode;
use std::path::{Component, Path, PathBuf};

const PATH: &str = "/api/v1/jobs";

/// What all videos of a batch share.
pub struct Batch {
    pub client: Client,
    pub state: State,
    pub out: Option<PathBuf>,
    pub retry_failed: bool,
}

/// What became of a video.
pub struct Outcome {
    pub name: String,
    pub job: Option<String>,
    /// The job's status, or `refused`, `unreadable` or `gone`.
    pub status: String,
    pub code: Option<String>,
    pub seconds: Option<f64>,
    /// Whether it was so before this run.
    pub before: bool,
}

impl Outcome {
    fn failed(item: &Item, job: Option<String>, status: &str, code: &str) -> Outcome {
        Outcome {
            name: item.name.clone(),
            job,
            status: status.to_owned(),
            code: Some(code.to_owned()),
            seconds: None,
            before: false,
        }
    }
}

impl Batch {
    /// Brings a video to its end from wherever it is. An error is one that every other video would meet as well.
    pub async fn process(&self, item: &Item, known: Option<&Step>) -> Result<Outcome> {
        if let Some(Step::Ended {
            job,
            status,
            code,
            seconds,
            out,
            ..
        }) = known
            && (status == "succeeded" || !self.retry_failed)
            && (self.out.is_none() || *out == self.out)
        {
            return Ok(Outcome {
                name: item.name.clone(),
                job: Some(job.clone()),
                status: status.clone(),
                code: code.clone(),
                seconds: *seconds,
                before: true,
            });
        }
        if let Source::Missing(error) = &item.source {
            return Ok(Outcome::failed(
                item,
                None,
                "unreadable",
                &error.kind().to_string(),
            ));
        }
        let job = match self.job(item, known).await {
            Ok(job) => job,
            Err(error) => return self.refused(item, error).await,
        };
        let followed = self.client.follow(&job, |_| {}).await;
        let ended = match followed {
            Ok(ended) => ended,
            Err(error) if Failure::status(&error) == Some(StatusCode::NOT_FOUND) => {
                return self.gone(item, job).await;
            }
            Err(error) => return Err(error),
        };
        self.ended(item, ended).await
    }

    /// The id of the video's job, which is made if there is none.
    async fn job(&self, item: &Item, known: Option<&Step>) -> Result<String> {
        match known {
            None | Some(Step::Batch { .. } | Step::Refused { .. }) => self.send(item, &item.key, false).await,
            Some(Step::Begun { .. }) => self.send(item, &item.key, true).await,
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
            return self.send(item, &format!("{}-{job}", item.key), true).await;
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

    /// Sends a video until there is a job. `look` says that there may be one: the idempotency key would find it for a
    /// day, the external id does so for as long as it exists.
    async fn send(&self, item: &Item, key: &str, mut look: bool) -> Result<String> {
        let begun = Step::Begun {
            key: item.key.clone(),
            path: item.name.clone(),
        };
        self.state.add(begun).await?;
        let mut patience = Patience::new();
        let job = loop {
            let sent = match look {
                true => match self.find(item).await {
                    Ok(None) => self.post(item, key).await,
                    Ok(Some(job)) => Ok(job),
                    Err(error) => Err(error),
                },
                false => self.post(item, key).await,
            };
            match sent {
                Ok(job) => break job.id,
                Err(error) => patience.pause(error).await?,
            }
            look = true;
        };
        self.accepted(item, &job).await?;
        Ok(job)
    }

    async fn post(&self, item: &Item, key: &str) -> Result<Job> {
        let mut options = item.options.clone();
        if options["external_id"].is_null() {
            options["external_id"] = item.key.clone().into();
        }
        match &item.source {
            Source::File(path) => {
                self.client
                    .upload(path, &options, key, &ProgressBar::hidden())
                    .await
            }
            Source::Remote(source) => self.client.refer(source, &options, key).await,
            Source::Missing(error) => anyhow::bail!("{error}"),
        }
    }

    /// The job that an earlier request has made, whose answer was lost. What an upload left that broke off is removed.
    async fn find(&self, item: &Item) -> Result<Option<Job>> {
        if !item.options["external_id"].is_null() {
            // It is the user's, and may be that of other jobs.
            return Ok(None);
        }
        let query = [("external_id", item.key.clone()), ("limit", "100".to_owned())];
        let (found, _) = self.client.page(PATH, &query).await?;
        let mut live = None;
        for document in found {
            let job = Job::parse(document)?;
            // The upload that makes it is that of a process which is gone: this one has the state to itself.
            let half = job.status == "uploading" && matches!(item.source, Source::File(_));
            let job = if half { self.give_up(job).await? } else { job };
            if job.is_remains() {
                self.client.delete(&job_path(&job.id)?).await?;
            } else {
                live = Some(job);
            }
        }
        Ok(live)
    }

    /// Ends an upload that nobody sends any more: the server would wait for it for two minutes. Should all of it have
    /// come meanwhile, its job goes on.
    async fn give_up(&self, job: Job) -> Result<Job> {
        let path = job_path(&job.id)?;
        match self.client.act(&format!("{path}/cancel")).await {
            Err(error) if Failure::status(&error) == Some(StatusCode::CONFLICT) => {
                self.client.job(&job.id).await
            }
            Err(error) => Err(error),
            Ok(document) => match Job::parse(document)? {
                ended if ended.is_remains() => Ok(ended),
                _ => Job::parse(self.client.act(&format!("{path}/retry")).await?),
            },
        }
    }

    async fn accepted(&self, item: &Item, job: &str) -> Result<()> {
        let (key, job) = (item.key.clone(), job.to_owned());
        self.state.add(Step::Accepted { key, job }).await
    }

    /// A video that the server will not have; or the error, if it is about the server or the key.
    async fn refused(&self, item: &Item, error: anyhow::Error) -> Result<Outcome> {
        let everywhere = matches!(
            Failure::code(&error),
            Some("unauthenticated" | "insufficient_scope")
        );
        if everywhere || Failure::is_no_answer(&error) {
            return Err(error);
        }
        let Some(code) = Failure::code(&error).map(str::to_owned) else {
            return match error
                .chain()
                .find_map(|cause| cause.downcast_ref::<std::io::Error>())
            {
                Some(cause) => Ok(Outcome::failed(
                    item,
                    None,
                    "unreadable",
                    &cause.kind().to_string(),
                )),
                None => Err(error),
            };
        };
        // What may pass leaves it open whether there is a job: the next run looks.
        if !Failure::may_pass(&error) {
            let (key, code) = (item.key.clone(), code.clone());
            self.state.add(Step::Refused { key, code }).await?;
        }
        Ok(Outcome::failed(item, None, "refused", &code))
    }

    /// Somebody deleted its job, or its time was over. It is not sent again unless --retry-failed says so.
    async fn gone(&self, item: &Item, job: String) -> Result<Outcome> {
        let outcome = Outcome::failed(item, Some(job.clone()), "gone", "not_found");
        let step = Step::Ended {
            key: item.key.clone(),
            job,
            status: outcome.status.clone(),
            code: outcome.code.clone(),
            seconds: None,
            out: self.out.clone(),
        };
        self.state.add(step).await?;
        Ok(outcome)
    }

    async fn ended(&self, item: &Item, job: Job) -> Result<Outcome> {
        if let Some(out) = &self.out {
            let fetched = fetch::all(&self.client, &job, &folder(out, &item.name)).await;
            if let Err(error) = fetched.with_context(|| item.name.clone()) {
                eprintln!("{error:#}");
                // It is not recorded as ended: the next run fetches again.
                return Ok(Outcome::failed(item, Some(job.id), "not_fetched", "download"));
            }
        }
        let code = job.error_code().map(str::to_owned);
        let step = Step::Ended {
            key: item.key.clone(),
            job: job.id.clone(),
            status: job.status.clone(),
            code: code.clone(),
            seconds: job.seconds(),
            out: self.out.clone(),
        };
        self.state.add(step).await?;
        Ok(Outcome {
            name: item.name.clone(),
            seconds: job.seconds(),
            job: Some(job.id),
            status: job.status,
            code,
            before: false,
        })
    }
}

/// A folder of its own for each video, below `out` whatever the name is.
fn folder(out: &Path, name: &str) -> PathBuf {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    let inside = Path::new(name)
        .components()
        .filter(|part| matches!(part, Component::Normal(_)));
    out.join(inside.collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stay_below_their_folder() {
        let check = |name, expected| assert_eq!(folder(Path::new("out"), name), Path::new(expected));
        check("a/b.mp4", "out/a/b.mp4");
        check("../../etc/b.mp4", "out/etc/b.mp4");
        check("/etc/b.mp4", "out/etc/b.mp4");
        check("https://example.com/b.mp4", "out/example.com/b.mp4");
    }
}
