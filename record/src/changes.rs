//! What has just changed in the record, whichever process changed it: MongoDB's change stream, shared by everybody in
//! this process who waits for a job. Long polls and event streams live on it.

use crate::{db::Db, job::Job};
use mongodb::{
    bson::{self, RawDocumentBuf, doc},
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, OperationType, ResumeToken},
    },
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::broadcast;

/// Pause before the stream is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// Changes kept for those who are slower than the stream. They are whole jobs, so that few are kept: who falls further
/// behind reads from MongoDB what it has missed.
const RING: usize = 256;
/// How often those who wait are told how far the stream is when nothing changes.
const QUIET_EVERY: Duration = Duration::from_secs(10);

/// What is announced.
#[derive(Clone, Debug)]
pub enum Change {
    /// A job was stored like this.
    Stored(Position, Arc<Job>),
    /// Nothing else was stored up to here.
    Quiet(Position),
    /// The stream was interrupted, and something may have been missed.
    Gap,
}

/// A place in the change stream, the same in every replica: the resume token's text. MongoDB promises that these sort
/// like the changes that they stand for ("Resume Tokens" in its manual on change streams).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(String);

pub(crate) type RawEvent = ChangeStreamEvent<RawDocumentBuf>;
pub(crate) type RawChanges = ChangeStream<RawEvent>;

/// Announces changes, and knows how far it has come.
#[derive(Clone)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    reached: Arc<Mutex<Option<Position>>>,
}

impl Position {
    /// Reads what a client sends back. None when it never was one.
    pub fn parse(text: &str) -> Option<Position> {
        let plausible = (2..=1024).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        plausible.then(|| Position(text.to_owned()))
    }

    /// As an event's id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(token: &ResumeToken) -> Option<Position> {
        let token = bson::serialize_to_document(token).ok()?;
        Some(Position(token.get_str("_data").ok()?.to_owned()))
    }

    fn token(&self) -> mongodb::error::Result<ResumeToken> {
        bson::deserialize_from_document(doc! { "_data": &self.0 }).map_err(mongodb::error::Error::custom)
    }
}

impl Default for Changes {
    fn default() -> Self {
        Changes {
            sender: broadcast::channel(RING).0,
            reached: Arc::default(),
        }
    }
}

impl Changes {
    /// The changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.sender.subscribe()
    }

    /// How far the stream is; none before it was opened. Who subscribes first and then asks gets every later change.
    pub fn reached(&self) -> Option<Position> {
        self.place().clone()
    }

    /// Follows MongoDB's change stream for as long as the process lives.
    pub async fn follow(self, db: Db) {
        let mut told = false;
        loop {
            match self.follow_once(&db, &mut told).await {
                Err(error) if !told => {
                    tracing::warn!("changes are not followed, those who wait are answered late: {error}")
                }
                _ => {}
            }
            told = true;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow_once(&self, db: &Db, told: &mut bool) -> mongodb::error::Result<()> {
        // From now on, rather than from where it broke off, which may be too old: everybody looks again instead.
        let mut stream = open(db, None).await?;
        *told = false;
        let (mut event, mut interrupted, mut spoke) = (None, true, Instant::now());
        while stream.is_alive() {
            if let Some(position) = position(event.as_ref(), &stream) {
                // Before the change is announced: see `reached`.
                *self.place() = Some(position.clone());
                if std::mem::take(&mut interrupted) {
                    self.send(Change::Gap);
                }
                // Decoded only when somebody waits.
                let told = event.filter(|_| self.sender.receiver_count() > 0);
                if let Some(job) = told.and_then(|event| stored(&event)) {
                    self.send(Change::Stored(position, Arc::new(job)));
                } else if spoke.elapsed() >= QUIET_EVERY {
                    self.send(Change::Quiet(position));
                    spoke = Instant::now();
                }
            }
            event = stream.next_if_any().await?;
        }
        Ok(())
    }

    fn send(&self, change: Change) {
        // Fails when nobody waits.
        let _ = self.sender.send(change);
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Option<Position>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the change stream after a position, or now.
pub(crate) async fn open(db: &Db, after: Option<&Position>) -> mongodb::error::Result<RawChanges> {
    // A job is always stored whole, and then the event has it as it was at that moment. A mere sign of life is not.
    let wanted = doc! { "$match": { "operationType": { "$in": ["insert", "replace"] } } };
    let jobs = db.jobs().clone_with_type::<RawDocumentBuf>();
    let after = after.map(Position::token).transpose()?;
    jobs.watch().pipeline([wanted]).resume_after(after).await
}

/// Where the stream is after an event, or where it is when there was none.
pub(crate) fn position(event: Option<&RawEvent>, stream: &RawChanges) -> Option<Position> {
    match event {
        Some(event) => Position::of(&event.id),
        None => stream.resume_token().as_ref().and_then(Position::of),
    }
}

/// The job that an event tells of.
pub(crate) fn stored(event: &RawEvent) -> Option<Job> {
    let whole = matches!(
        event.operation_type,
        OperationType::Insert | OperationType::Replace
    );
    let document = event.full_document.as_ref().filter(|_| whole)?;
    match bson::deserialize_from_slice(document.as_bytes()) {
        Ok(job) => Some(job),
        Err(error) => {
            tracing::warn!("a change could not be read: {error}");
            None
        }
    }
}
