//! Every change of a job, as seen from outside in MongoDB's change stream.

use anyhow::Result;
use futures_util::StreamExt;
use mongodb::{
    Client,
    bson::{Bson, Document},
    change_stream::event::OperationType,
    options::ClientOptions,
};
use std::{
    collections::{BTreeMap, HashMap},
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
    /// The job was deleted; its document still exists.
    pub is_deleted: bool,
    /// What was seen of each stage's attempts, in their order.
    pub tries: BTreeMap<String, Vec<Try>>,
}

/// One attempt, as the record shows it: about once a second.
#[derive(Clone, Debug)]
pub struct Try {
    /// From 1.
    pub number: i64,
    /// The first sign of it, and the last.
    pub seen: (Instant, Instant),
    sign: (f64, String, String),
}

impl Try {
    /// The time from its first sign to its last.
    pub fn time(&self) -> Duration {
        self.seen.1 - self.seen.0
    }
}

impl History {
    /// Highest attempt of any stage.
    pub fn attempts(&self) -> i64 {
        let all = self.tries.values().flatten();
        all.map(|one| one.number).max().unwrap_or(0)
    }

    /// For each attempt that took over from another: an upper bound of the time without a worker.
    pub fn takeovers(&self) -> impl Iterator<Item = Duration> {
        let pairs = self.tries.values().flat_map(|tries| tries.windows(2));
        pairs.map(|pair| pair[1].seen.0 - pair[0].seen.1)
    }

    /// Why the job does not need this object any more, if so. What is left of a deleted one goes at the latest with its
    /// document, ten minutes later; from then on there is no such job.
    pub fn unneeded(&self, key: &str) -> Option<&'static str> {
        let (_, stages) = self.end.as_ref().filter(|_| !self.is_deleted)?;
        let never_came = stages.iter().any(|stage| stage.2 == "source_missing");
        match key.starts_with("uploads/") {
            true => never_came.then_some("an upload that came to nothing"),
            false if key.ends_with("/manifest.json") => None,
            false => {
                let is_listed = stages
                    .iter()
                    .any(|stage| stage.3.iter().any(|listed| listed == key));
                (!is_listed).then_some("a losing attempt")
            }
        }
    }

    /// Total time of failed attempts, and of all attempts.
    pub fn work(&self) -> (Duration, Duration) {
        let lost = self.tries.values().flat_map(|tries| &tries[..tries.len() - 1]);
        let all = self.tries.values().flatten();
        (lost.map(Try::time).sum(), all.map(Try::time).sum())
    }
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
                    let mut histories = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(job) = event.full_document {
                        note(&mut histories, &job);
                    } else if event.operation_type == OperationType::Delete
                        && let Some(id) = event
                            .document_key
                            .as_ref()
                            .and_then(|key| key.get_str("_id").ok())
                    {
                        histories.remove(id);
                    }
                    drop(histories);
                    token = stream.resume_token();
                }
                // MongoDB was interrupted: resume after the last event.
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

    /// Whether the job has ended.
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
    for (name, stage) in job.get_document("stages").into_iter().flatten() {
        note_try(history.tries.entry(name.clone()).or_default(), stage);
    }
    history.tries.retain(|_, tries| !tries.is_empty());
    history.is_deleted = job.get_datetime("deleted_at").is_ok();
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

/// A sign of life is a change: the record of a stage is also written to by others.
fn note_try(tries: &mut Vec<Try>, stage: &Bson) {
    let Some(stage) = stage.as_document() else { return };
    let number = stage.get("attempt").and_then(integer).unwrap_or(0);
    let text = |key: &str| stage.get_str(key).unwrap_or_default().to_owned();
    let sign = (
        stage.get_f64("progress").unwrap_or(0.0),
        text("phase"),
        text("status"),
    );
    let now = Instant::now();
    match tries.last_mut() {
        Some(last) if last.number == number && last.sign != sign => (last.seen.1, last.sign) = (now, sign),
        Some(last) if last.number >= number => {}
        _ if number == 0 => {}
        _ => tries.push(Try {
            number,
            seen: (now, now),
            sign,
        }),
    }
}

fn integer(value: &Bson) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(i64::from))
}

/// The parts of a job that must not change after its end.
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
