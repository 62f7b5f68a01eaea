//! What becomes of jobs, as MongoDB's change stream tells it: from outside, and every change.

use anyhow::Result;
use futures_util::StreamExt;
use mongodb::{
    Client,
    bson::{Bson, Document},
    options::ClientOptions,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// The end of a job, and what happened to it after that.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The state at the end: the job's status, and each stage's status, code and task.
    pub end: Option<State>,
    /// When it was seen.
    pub ended_at: Option<Instant>,
    /// Later states that are not the same: there must be none.
    pub changed: Vec<State>,
    /// Highest attempt of any stage.
    pub attempts: i64,
}

/// A job's status, and each stage's name, status, code and output keys.
pub type State = (String, Vec<(String, String, String, Vec<String>)>);

/// Follows the collection until it is dropped.
pub struct Watch {
    jobs: Arc<Mutex<HashMap<String, History>>>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Starts at this moment.
    pub async fn start(url: &str) -> Result<Watch> {
        let mut options = ClientOptions::parse(url).await?;
        options.server_selection_timeout = Some(Duration::from_secs(5));
        let jobs = Client::with_options(options)?
            .database("vidp")
            .collection::<Document>("jobs");
        let histories: Arc<Mutex<HashMap<String, History>>> = Arc::default();
        let seen = histories.clone();
        let mut token = None;
        let mut stream = jobs.watch().await?;
        let task = tokio::spawn(async move {
            loop {
                while let Some(Ok(event)) = stream.next().await {
                    if let Some(job) = event.full_document {
                        let mut histories = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        note(&mut histories, &job);
                    }
                    token = stream.resume_token();
                }
                // MongoDB was hurt: go on where it broke off.
                stream = loop {
                    match jobs.watch().resume_after(token.clone()).await {
                        Ok(stream) => break stream,
                        Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                    }
                };
            }
        });
        Ok(Watch {
            jobs: histories,
            task,
        })
    }

    /// The job has come to its end.
    pub fn has_ended(&self, id: &str) -> bool {
        self.jobs().get(id).is_some_and(|history| history.end.is_some())
    }

    /// Everything seen so far.
    pub fn jobs(&self) -> MutexGuard<'_, HashMap<String, History>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(histories: &mut HashMap<String, History>, job: &Document) {
    let Ok(id) = job.get_str("_id") else { return };
    let state = state(job);
    let history = histories.entry(id.to_owned()).or_default();
    let stages = job
        .get_document("stages")
        .into_iter()
        .flat_map(|stages| stages.values());
    let attempts = stages.filter_map(|stage| integer(stage.as_document()?.get("attempt")?));
    history.attempts = attempts.max().unwrap_or(0).max(history.attempts);
    match &history.end {
        Some(end) if *end != state => history.changed.push(state),
        Some(_) => {}
        None if ["succeeded", "partial", "failed", "cancelled"].contains(&state.0.as_str()) => {
            history.end = Some(state);
            history.ended_at = Some(Instant::now());
        }
        None => {}
    }
}

fn integer(value: &Bson) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(i64::from))
}

/// What must not change any more.
fn state(job: &Document) -> State {
    let text = |document: &Document, key: &str| document.get_str(key).unwrap_or_default().to_owned();
    let empty = Document::new();
    let stages = job.get_document("stages").unwrap_or(&empty);
    let stages = stages.iter().filter_map(|(name, stage)| {
        let stage = stage.as_document()?;
        let code = stage
            .get_document("error")
            .map_or_else(|_| String::new(), |error| text(error, "code"));
        let outputs = stage.get_array("outputs").into_iter().flatten();
        let keys = outputs.filter_map(|output| Some(text(output.as_document()?, "key")));
        Some((name.clone(), text(stage, "status"), code, keys.collect()))
    });
    (text(job, "status"), stages.collect())
}
