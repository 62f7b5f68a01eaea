//! One video of a batch: made a job once, followed to its end, its outputs fetched.

use super::{
    items::{Item, Source},
    state::{State, Step},
};
use crate::{
    client::{Client, Failure, Job},
    fetch,
};
use anyhow::Result;
use reqwest::StatusCode;
use std::path::{Component, Path, PathBuf};

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
    /// What the code means here, for people.
    pub detail: Option<String>,
    pub seconds: Option<f64>,
    /// Whether it was so before this run.
    pub before: bool,
}

impl Outcome {
    fn failed(item: &Item, job: Option<String>, status: &str, code: &str, detail: String) -> Outcome {
        Outcome {
            name: item.name.clone(),
            job,
            status: status.to_owned(),
            code: Some(code.to_owned()),
            detail: Some(detail),
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
                detail: None,
                seconds: *seconds,
                before: true,
            });
        }
        if let Source::Missing(error) = &item.source {
            return Ok(unreadable(item, error));
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
                Some(cause) => Ok(unreadable(item, cause)),
                None => Err(error),
            };
        };
        // What may pass leaves it open whether there is a job: the next run looks.
        if !Failure::may_pass(&error) {
            let (key, code) = (item.key.clone(), code.clone());
            self.state.add(Step::Refused { key, code }).await?;
        }
        Ok(Outcome::failed(item, None, "refused", &code, error.to_string()))
    }

    /// Somebody deleted its job, or its time was over. It is not sent again unless --retry-failed says so.
    async fn gone(&self, item: &Item, job: String) -> Result<Outcome> {
        let outcome = Outcome::failed(
            item,
            Some(job.clone()),
            "gone",
            "not_found",
            "its job was deleted".to_owned(),
        );
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
        if let Some(out) = &self.out
            && let Err(error) = fetch::all(&self.client, &job, &folder(out, &item.name)).await
        {
            // It is not recorded as ended: the next run fetches again.
            let (code, detail) = ("not_fetched", format!("{error:#}"));
            return Ok(Outcome::failed(item, Some(job.id), code, code, detail));
        }
        let error = job.error();
        let code = error.map(|error| error.code.clone());
        let detail = error.and_then(|error| error.detail.clone());
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
            detail,
            before: false,
        })
    }
}

fn unreadable(item: &Item, error: &std::io::Error) -> Outcome {
    let code = error.kind().to_string().replace(' ', "_");
    Outcome::failed(item, None, "unreadable", &code, error.to_string())
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
