//! The connection to MongoDB, and the execution of single operations.

use crate::webhook::Vault;
use async_recursion::async_recursion as boxed;
use mongodb::{
    Client, Collection, Database, IndexModel,
    bson::doc,
    error::{ErrorKind, WriteFailure},
    options::{Acknowledgment, ClientOptions, WriteConcern},
};
use serde::Serialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Time limit of an operation. It is longer than the driver's server selection, so that the driver's error is reported.
const OPERATION_LIMIT: Duration = Duration::from_secs(10);

/// Time after which MongoDB ends a read. Shorter than the time limit of an operation, after which the API no longer waits
/// for the answer: a read without a limit would continue.
pub(super) const MAX_TIME: Duration = Duration::from_secs(5);

/// MongoDB's error code for a duplicate value in a unique index.
const DUPLICATE_KEY: i32 = 11000;
/// MongoDB's error code `MaxTimeMSExpired`.
const MAX_TIME_EXPIRED: i32 = 50;

/// MongoDB's error code for a document that is too large for a message.
const TOO_LARGE: i32 = 10334;
/// MongoDB's error codes for a document that it refuses: nested too deep, invalid BSON, too large as a message, too large
/// after an update.
const UNSTORABLE: [i32; 5] = [15, 22, TOO_LARGE, 17419, 17420];

/// Error of an operation on MongoDB.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The document does not exist.
    #[error("document not found")]
    NotFound,
    /// A document with the same value of a unique field exists.
    #[error("the document exists already")]
    Duplicate,
    /// A stored document does not have the shape that this release reads. A retry does not help.
    #[error("a stored document cannot be decoded: {0}")]
    Undecodable(mongodb::error::Error),
    /// The document cannot be stored: a value has no place in BSON, or the document is too large. A retry does not help.
    #[error("the document cannot be stored: {0}")]
    Unstorable(mongodb::error::Error),
    /// MongoDB ended a read at its time limit.
    #[error("the read took longer than {} s", MAX_TIME.as_secs())]
    TooLong,
    /// The secret of a webhook could not be encrypted.
    #[error("a secret cannot be encrypted: {0}")]
    Unsealed(getrandom::Error),
    /// Any other error of the driver.
    #[error(transparent)]
    Driver(mongodb::error::Error),
    /// MongoDB did not answer in time, or the operation's task panicked.
    #[error("MongoDB did not answer: {0}")]
    NoAnswer(String),
}

/// A handle to the database, cheap to clone. Its methods are in the file of their collection.
#[derive(Clone)]
pub struct Db {
    database: Database,
    indexed: Arc<AtomicBool>,
    vault: Vault,
}

impl Db {
    /// Creates a client without connecting. Writes are confirmed by a majority with their journal, so that they survive
    /// a failover.
    #[boxed]
    pub async fn connect(url: &str, database: &str) -> anyhow::Result<Db> {
        let mut options = ClientOptions::parse(url).await?;
        options.app_name = Some("vidp-api".to_owned());
        options.server_selection_timeout = Some(Duration::from_secs(5));
        options.connect_timeout = Some(Duration::from_secs(5));
        let majority = WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .build();
        options.write_concern = Some(majority);
        let database = Client::with_options(options)?.database(database);
        Ok(Db {
            database,
            indexed: Arc::default(),
            vault: Vault::default(),
        })
    }

    /// Encrypts the secrets of webhooks with this vault.
    pub fn with_vault(self, vault: Vault) -> Db {
        Db { vault, ..self }
    }

    /// Returns the vault of the secrets of webhooks.
    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Records that every index exists.
    pub(super) fn set_indexed(&self) {
        self.indexed.store(true, Ordering::Relaxed);
    }

    /// Returns true once all indexes exist. Until then unique fields are not enforced.
    pub fn is_indexed(&self) -> bool {
        self.indexed.load(Ordering::Relaxed)
    }

    /// Stores a new document.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] when the tenant has another document with the same idempotency `key`.
    pub(super) async fn insert_new<T>(
        &self,
        into: Collection<T>,
        new: T,
        key: Option<&str>,
    ) -> Result<(), DbError>
    where
        T: Serialize + Send + Sync + 'static,
    {
        if key.is_some() && !self.is_indexed() {
            return Err(DbError::NoAnswer("its indexes are not built yet".to_owned()));
        }
        let stored = self.run(async move { into.insert_one(new).await.map(drop) });
        stored.await.map_err(DbError::or_duplicate)
    }

    /// Creates the missing indexes of one collection.
    pub(super) async fn ensure_indexes_of(
        &self,
        name: &str,
        indexes: Vec<IndexModel>,
    ) -> Result<(), DbError> {
        let collection = self.collection::<mongodb::bson::Document>(name);
        self.run(async move { collection.create_indexes(indexes).await.map(drop) })
            .await
    }

    /// Returns a typed handle to a collection.
    pub(super) fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.database.collection(name)
    }

    /// Runs one operation to its end.
    ///
    /// The driver's futures must not be dropped before they complete. The operation therefore runs in a separate task,
    /// which continues when the client disconnects or the time limit passes.
    pub async fn run<T, F>(&self, operation: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: Future<Output = mongodb::error::Result<T>> + Send + 'static,
    {
        match tokio::time::timeout(OPERATION_LIMIT, tokio::spawn(operation)).await {
            Ok(Ok(done)) => Ok(done?),
            Ok(Err(error)) => Err(DbError::NoAnswer(error.to_string())),
            Err(_) => Err(DbError::NoAnswer(format!(
                "no answer within {} s",
                OPERATION_LIMIT.as_secs()
            ))),
        }
    }

    /// Checks that MongoDB answers and accepts writes.
    #[boxed]
    pub async fn ping(&self) -> Result<(), DbError> {
        let admin = self.database.client().database("admin");
        self.run(async move {
            let hello = admin.run_command(doc! { "hello": 1 }).await?;
            match hello.get_bool("isWritablePrimary") {
                Ok(true) => Ok(()),
                _ => Err(mongodb::error::Error::custom("no primary")),
            }
        })
        .await
    }
}

impl From<mongodb::error::Error> for DbError {
    fn from(error: mongodb::error::Error) -> Self {
        match &*error.kind {
            ErrorKind::BsonDeserialization(_) => DbError::Undecodable(error),
            ErrorKind::Command(command) if command.code == MAX_TIME_EXPIRED => DbError::TooLong,
            _ if is_unstorable(&error) => DbError::Unstorable(error),
            _ => DbError::Driver(error),
        }
    }
}

impl DbError {
    /// True when a retry fails too, because of the document.
    pub fn is_permanent(&self) -> bool {
        matches!(self, DbError::Undecodable(_) | DbError::Unstorable(_))
    }

    /// Converts to [`DbError::Duplicate`] when duplicates are the only error.
    pub(super) fn or_duplicate(self) -> DbError {
        match self {
            DbError::Driver(error) if is_duplicate(&error) => DbError::Duplicate,
            error => error,
        }
    }
}

/// Returns true when a document was refused because of its content.
fn is_unstorable(error: &mongodb::error::Error) -> bool {
    match &*error.kind {
        ErrorKind::BsonSerialization(_) | ErrorKind::Bson(_) => true,
        ErrorKind::Write(WriteFailure::WriteError(error)) => UNSTORABLE.contains(&error.code),
        // Other codes of a command also mean a wrong request, such as a resume token that cannot be decoded.
        ErrorKind::Command(error) => error.code == TOO_LARGE,
        _ => false,
    }
}

/// Returns true when a write failed only because of duplicate values; the other documents of an insert are stored.
fn is_duplicate(error: &mongodb::error::Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        ErrorKind::InsertMany(error) => {
            let errors = error.write_errors.as_deref().unwrap_or_default();
            let only_duplicates = errors.iter().all(|error| error.code == DUPLICATE_KEY);
            error.write_concern_error.is_none() && !errors.is_empty() && only_duplicates
        }
        _ => false,
    }
}
