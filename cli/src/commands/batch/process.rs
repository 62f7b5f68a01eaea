use super::{
    item::{Item, Source},
    send::Batch,
    state::Step,
};
use crate::{
    client::{Failure, Job},
    files::download::download_outputs,
};
use anyhow::Result;
use reqwest::StatusCode;
use std::path::{Component, Path, PathBuf};

/// Result of one video.
pub(super) struct Outcome {
    /// Name of the item.
    pub(super) name: String,
    /// Id of the job, if one exists.
    pub(super) job: Option<String>,
    /// The job's status, or `refused`, `unreadable`, `gone` or `not_fetched`.
    pub(super) status: String,
    /// Code of the failure.
    pub(super) code: Option<String>,
    /// Explanation of the failure, for people.
    pub(super) detail: Option<String>,
    /// Seconds from the job's creation to its end.
    pub(super) seconds: Option<f64>,
    /// The video ended in an earlier run of the command.
    pub(super) from_earlier_run: bool,
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
            from_earlier_run: false,
        }
    }
}

impl Batch {
    /// Brings a video to its end, from its last known step on. An error concerns the whole batch, not only this video.
    pub(super) async fn process(&self, item: &Item, known: Option<&Step>) -> Result<Outcome> {
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
                from_earlier_run: true,
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

    /// The outcome of a refused video; an error that concerns the server or the key is returned.
    async fn refused(&self, item: &Item, error: anyhow::Error) -> Result<Outcome> {
        let concerns_all = matches!(
            Failure::code(&error),
            Some("unauthenticated" | "insufficient_scope")
        );
        if concerns_all || Failure::is_no_answer(&error) {
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
        // After a transient error a job may exist: the next run searches for it.
        if !Failure::is_transient(&error) {
            let (key, code) = (item.key.clone(), code.clone());
            self.state.add(Step::Refused { key, code }).await?;
        }
        Ok(Outcome::failed(item, None, "refused", &code, error.to_string()))
    }

    /// The outcome of a video whose job was deleted or has expired. Only `--retry-failed` sends it again.
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
            && let Err(error) = download_outputs(&self.client, &job, &folder(out, &item.name)).await
        {
            // Not recorded as ended, so that the next run downloads again.
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
            from_earlier_run: false,
        })
    }
}

fn unreadable(item: &Item, error: &std::io::Error) -> Outcome {
    let code = error.kind().to_string().replace(' ', "_");
    Outcome::failed(item, None, "unreadable", &code, error.to_string())
}

/// The folder for a video's outputs. It is always below `out`, also for names with `..` or a leading slash.
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
