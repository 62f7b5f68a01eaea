//! The history of each job, read from MongoDB's change stream.

use anyhow::Result;
use futures_util::StreamExt;
use mongodb::{
    Client,
    bson::{Bson, Document},
    change_stream::event::OperationType,
    options::ClientOptions,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// The end of a job, its later changes and its attempts.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The state at the end; `None` while the job is open.
    pub end: Option<State>,
    /// Time at which the end was seen.
    pub ended_at: Option<Instant>,
    /// Later states that differ from the end. An ended job must not change, so each is a violation.
    pub changed: Vec<State>,
    /// The job is deleted, and its tombstone still exists.
    pub is_deleted: bool,
    /// The attempts of each stage, in order.
    pub attempts: BTreeMap<String, Vec<Attempt>>,
}

/// One attempt of a stage. The record shows its progress about once a second.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Number of the attempt, from 1.
    pub number: i64,
    /// Times of its first and its last change.
    pub seen: (Instant, Instant),
    /// Progress, phase and status.
    progress: (f64, String, String),
}

impl Attempt {
    /// Time from its first change to its last.
    pub fn time(&self) -> Duration {
        self.seen.1 - self.seen.0
    }
}

impl History {
    /// Highest attempt number of any stage; 0 before the first attempt.
    pub fn max_attempt(&self) -> i64 {
        let all = self.attempts.values().flatten();
        all.map(|one| one.number).max().unwrap_or(0)
    }

    /// Upper bounds of the time without a worker, one for each attempt that took over from another.
    pub fn takeovers(&self) -> impl Iterator<Item = Duration> {
        let pairs = self.attempts.values().flat_map(|attempts| attempts.windows(2));
        pairs.map(|pair| pair[1].seen.0 - pair[0].seen.1)
    }

    /// The reason why an object of this job is garbage; `None` while it may exist.
    ///
    /// Objects of a deleted job may remain until its tombstone is purged, ten minutes later.
    pub fn garbage_reason(&self, key: &str) -> Option<&'static str> {
        let (_, stages) = self.end.as_ref().filter(|_| !self.is_deleted)?;
        let never_arrived = stages.iter().any(|stage| stage.2 == "source_missing");
        match key.starts_with("uploads/") {
            true => never_arrived.then_some("an upload that was never completed"),
            false if key.ends_with("/manifest.json") => None,
            false => {
                let is_listed = stages
                    .iter()
                    .any(|stage| stage.3.iter().any(|listed| listed == key));
                (!is_listed).then_some("a losing attempt")
            }
        }
    }

    /// Total time of the attempts that another one replaced, and of all attempts.
    pub fn work(&self) -> (Duration, Duration) {
        let lost = self
            .attempts
            .values()
            .flat_map(|attempts| &attempts[..attempts.len() - 1]);
        let all = self.attempts.values().flatten();
        (lost.map(Attempt::time).sum(), all.map(Attempt::time).sum())
    }
}

/// A job's status, and each stage's name, status, code and output keys.
pub type State = (String, Vec<(String, String, String, Vec<String>)>);

/// Follows the collection of jobs until it is dropped.
pub struct Watch {
    jobs: Arc<Mutex<HashMap<String, History>>>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Starts to follow the changes from this moment on.
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
                    let mut histories = seen.lock();
                    if let Some(job) = event.full_document {
                        record(&mut histories, &job);
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

    /// True when the job has ended.
    pub fn has_ended(&self, id: &str) -> bool {
        self.jobs().get(id).is_some_and(|history| history.end.is_some())
    }

    /// The histories of all jobs so far, by id.
    pub fn jobs(&self) -> MutexGuard<'_, HashMap<String, History>> {
        self.jobs.lock()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Records the state of a job after a change.
fn record(histories: &mut HashMap<String, History>, job: &Document) {
    let Ok(id) = job.get_str("_id") else { return };
    let state = state(job);
    let history = histories.entry(id.to_owned()).or_default();
    for (name, stage) in job.get_document("stages").into_iter().flatten() {
        record_attempt(history.attempts.entry(name.clone()).or_default(), stage);
    }
    history.attempts.retain(|_, attempts| !attempts.is_empty());
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

/// Records an attempt. Only a changed progress counts, because other parts of VidP write to the stage too.
fn record_attempt(attempts: &mut Vec<Attempt>, stage: &Bson) {
    let Some(stage) = stage.as_document() else { return };
    let number = stage.get("attempt").and_then(integer).unwrap_or(0);
    let text = |key: &str| stage.get_str(key).unwrap_or_default().to_owned();
    let progress = (
        stage.get_f64("progress").unwrap_or(0.0),
        text("phase"),
        text("status"),
    );
    let now = Instant::now();
    match attempts.last_mut() {
        Some(last) if last.number == number && last.progress != progress => {
            (last.seen.1, last.progress) = (now, progress);
        }
        Some(last) if last.number >= number => {}
        _ if number == 0 => {}
        _ => attempts.push(Attempt {
            number,
            seen: (now, now),
            progress,
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
