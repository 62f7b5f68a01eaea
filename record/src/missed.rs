//! Reads changes that a listener missed from MongoDB's change stream.

use crate::{
    changes::{self, Position, RawChanges},
    db::{Db, DbError},
    job::Job,
};
use mongodb::error::{Error, ErrorKind};

/// MongoDB's error codes `ChangeStreamFatalError` and `ChangeStreamHistoryLost`: the oplog no longer has the position.
const FORGOTTEN: [i32; 2] = [280, 286];

/// Reason why missed changes cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MissedError {
    /// MongoDB has dropped the changes after the position.
    #[error("MongoDB no longer has the changes after this position")]
    Forgotten,
    /// MongoDB refuses the position: it is not from this change stream.
    #[error("MongoDB refuses this position")]
    Refused,
    /// Any other failure.
    #[error(transparent)]
    Db(DbError),
}

/// A separate change stream that reads from a past position.
pub struct Missed {
    db: Db,
    stream: RawChanges,
}

/// One step through the missed changes.
pub struct Step {
    /// The job as the change stored it; `None` when nothing was stored up to here.
    pub job: Option<Job>,
    /// The place of this change in the stream.
    pub position: Option<Position>,
    /// The changes that follow.
    pub rest: Missed,
}

impl Missed {
    /// Opens the changes that follow `after`.
    ///
    /// # Errors
    /// [`MissedError::Forgotten`] and [`MissedError::Refused`] when MongoDB does not accept the position.
    pub async fn open(db: &Db, after: &Position) -> Result<Missed, MissedError> {
        let (opened, from) = (db.clone(), after.clone());
        let stream = db.run(async move { changes::open(&opened, Some(&from)).await });
        let stream = stream.await?;
        Ok(Missed {
            db: db.clone(),
            stream,
        })
    }

    /// Reads the next change.
    ///
    /// Takes `self` because the driver's future must not be dropped: the stream moves into it and back.
    ///
    /// # Errors
    /// [`MissedError::Forgotten`] when MongoDB has dropped the change meanwhile.
    pub async fn next(self) -> Result<Step, MissedError> {
        let Missed { db, mut stream } = self;
        let read = db.run(async move {
            let found = stream.next_if_any().await?;
            Ok((found, stream))
        });
        let (found, stream) = read.await?;
        Ok(Step {
            position: changes::position(found.as_ref(), &stream),
            job: found.as_ref().and_then(changes::stored),
            rest: Missed { db, stream },
        })
    }
}

impl From<DbError> for MissedError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Driver(error) if is_forgotten(&error) => MissedError::Forgotten,
            DbError::Driver(error) if is_refusal(&error) => MissedError::Refused,
            error => MissedError::Db(error),
        }
    }
}

fn is_forgotten(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(command) if FORGOTTEN.contains(&command.code))
}

/// Returns true when the server understood the command and refused it: the text is not a resume token.
fn is_refusal(error: &Error) -> bool {
    let resumable = error.contains_label("ResumableChangeStreamError");
    matches!(&*error.kind, ErrorKind::Command(_) if !resumable)
}
