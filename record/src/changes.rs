//! Changes of jobs by any process: MongoDB's change stream, shared by all waiting clients of this process.
//!
//! Long polls and event streams subscribe to it.

use crate::{db::Db, job::Job};
use mongodb::{
    bson::{self, RawDocumentBuf, doc},
    change_stream::{
        ChangeStream,
        event::{ChangeStreamEvent, OperationType, ResumeToken},
    },
};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::broadcast;

/// Pause before the stream is opened again.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// Changes buffered for slow subscribers. They are whole jobs, so the buffer is small: a subscriber that falls further
/// behind reads the missed changes from MongoDB.
const BUFFERED_CHANGES: usize = 256;
/// Interval at which the position is announced while nothing changes.
const QUIET_EVERY: Duration = Duration::from_secs(10);

/// An announcement to subscribers.
#[derive(Clone, Debug)]
pub enum Change {
    /// A job was stored with this content.
    Stored(Position, Arc<Job>),
    /// No further job was stored up to this position.
    Quiet(Position),
    /// The stream was interrupted; changes may have been missed.
    Gap,
}

/// A position in the change stream: the text of the resume token. It is the same in every replica.
///
/// MongoDB guarantees that resume tokens sort in the order of the changes ("Resume Tokens" in its manual on change
/// streams).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(String);

pub(crate) type RawEvent = ChangeStreamEvent<RawDocumentBuf>;
pub(crate) type RawChanges = ChangeStream<RawEvent>;

/// Announces changes to subscribers and stores the reached position.
#[derive(Clone)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    reached: Arc<Mutex<Option<Position>>>,
}

impl Position {
    /// Parses a position that a client sends back. Returns `None` for a text that cannot be one.
    pub fn parse(text: &str) -> Option<Position> {
        let plausible = (2..=1024).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        plausible.then(|| Position(text.to_owned()))
    }

    /// Returns the position as an event's id.
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
            sender: broadcast::channel(BUFFERED_CHANGES).0,
            reached: Arc::default(),
        }
    }
}

impl Changes {
    /// Subscribes to the changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.sender.subscribe()
    }

    /// Returns the reached position; `None` before the stream was opened.
    ///
    /// Subscribe before this call to receive every later change.
    pub fn reached(&self) -> Option<Position> {
        self.reached.lock().clone()
    }

    /// Follows MongoDB's change stream until the process ends.
    pub async fn follow(self, db: Db) {
        let mut failure_logged = false;
        loop {
            if let Err(error) = self.follow_once(&db, &mut failure_logged).await
                && !failure_logged
            {
                tracing::warn!("the change stream failed; waiting clients are answered late: {error}");
            }
            failure_logged = true;
            tokio::time::sleep(REOPEN_PAUSE).await;
        }
    }

    async fn follow_once(&self, db: &Db, failure_logged: &mut bool) -> mongodb::error::Result<()> {
        // Starts now instead of at the last position, which may be too old. After a gap all subscribers read their jobs
        // again.
        let mut stream = open(db, None).await?;
        *failure_logged = false;
        let (mut event, mut interrupted, mut last_sent) = (None, true, Instant::now());
        while stream.is_alive() {
            if let Some(position) = position(event.as_ref(), &stream) {
                // Stored before the change is announced: `reached` relies on it.
                *self.reached.lock() = Some(position.clone());
                if std::mem::take(&mut interrupted) {
                    self.send(Change::Gap);
                }
                // Decoded only when there are subscribers.
                let wanted = event.filter(|_| self.sender.receiver_count() > 0);
                if let Some(job) = wanted.and_then(|event| stored(&event)) {
                    self.send(Change::Stored(position, Arc::new(job)));
                } else if last_sent.elapsed() >= QUIET_EVERY {
                    self.send(Change::Quiet(position));
                    last_sent = Instant::now();
                }
            }
            event = stream.next_if_any().await?;
        }
        Ok(())
    }

    fn send(&self, change: Change) {
        // Fails when there are no subscribers.
        let _ = self.sender.send(change);
    }
}

/// Opens the change stream after a position, or at the current time.
pub(crate) async fn open(db: &Db, after: Option<&Position>) -> mongodb::error::Result<RawChanges> {
    // Jobs are stored as whole documents, and the event then contains that version. Heartbeats are updates, not
    // replaces.
    let wanted = doc! { "$match": { "operationType": { "$in": ["insert", "replace"] } } };
    let jobs = db.jobs().clone_with_type::<RawDocumentBuf>();
    let after = after.map(Position::token).transpose()?;
    jobs.watch().pipeline([wanted]).resume_after(after).await
}

/// Returns the stream's position after an event, or its current position without one.
pub(crate) fn position(event: Option<&RawEvent>, stream: &RawChanges) -> Option<Position> {
    match event {
        Some(event) => Position::of(&event.id),
        None => stream.resume_token().as_ref().and_then(Position::of),
    }
}

/// Decodes the job in an event; `None` for other events.
pub(crate) fn stored(event: &RawEvent) -> Option<Job> {
    let whole = matches!(
        event.operation_type,
        OperationType::Insert | OperationType::Replace
    );
    let document = event.full_document.as_ref().filter(|_| whole)?;
    match bson::deserialize_from_slice(document.as_bytes()) {
        Ok(job) => Some(job),
        Err(error) => {
            tracing::warn!("a change of a job could not be decoded: {error}");
            None
        }
    }
}
