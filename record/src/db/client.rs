//! The connection to MongoDB, and how one operation runs on it.

use mongodb::{
    Client, Collection, Database, IndexModel,
    bson::doc,
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

/// Longer than the driver's own server selection, so that its error is seen and not ours.
const LIMIT: Duration = Duration::from_secs(10);

/// MongoDB's code of a value that must be unique and is not.
pub(super) const DUPLICATE_KEY: i32 = 11000;

/// Why MongoDB did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// There is no such document.
    #[error("no such document")]
    NotFound,
    /// There is one already with the same value where values are unique.
    #[error("there is such a document already")]
    Duplicate,
    /// A stored document does not have the shape that this release reads. Trying again does not help.
    #[error("a stored document cannot be read: {0}")]
    Undecodable(mongodb::error::Error),
    /// Any other error of the driver.
    #[error(transparent)]
    Driver(mongodb::error::Error),
    /// No answer in time, or the operation's task broke.
    #[error("MongoDB did not answer: {0}")]
    NoAnswer(String),
}

/// The database. What concerns one collection is in the file of its name.
#[derive(Clone)]
pub struct Db {
    database: Database,
    indexed: Arc<AtomicBool>,
}

impl Db {
    /// Makes a client; nothing is sent yet. The settings are those that keep a write once it is confirmed.
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
        })
    }

    /// Notes that every index exists.
    pub(super) fn set_indexed(&self) {
        self.indexed.store(true, Ordering::Relaxed);
    }

    /// The indexes are there; until then what has to be unique is not.
    pub fn is_indexed(&self) -> bool {
        self.indexed.load(Ordering::Relaxed)
    }

    /// Stores a new document; [`DbError::Duplicate`] when its tenant has another with the same idempotency `key`.
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

    pub(super) async fn ensure_indexes_of(
        &self,
        name: &str,
        indexes: Vec<IndexModel>,
    ) -> Result<(), DbError> {
        let collection = self.collection::<mongodb::bson::Document>(name);
        self.run(async move { collection.create_indexes(indexes).await.map(drop) })
            .await
    }

    /// A collection of documents that are a `T` each.
    pub(super) fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.database.collection(name)
    }

    /// Runs one operation to its end. The driver's futures must not be dropped half-way, so that a client that
    /// hangs up or a timeout leaves the operation running in a task of its own.
    pub async fn run<T, F>(&self, operation: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: Future<Output = mongodb::error::Result<T>> + Send + 'static,
    {
        match tokio::time::timeout(LIMIT, tokio::spawn(operation)).await {
            Ok(Ok(done)) => Ok(done?),
            Ok(Err(error)) => Err(DbError::NoAnswer(error.to_string())),
            Err(_) => Err(DbError::NoAnswer(format!("nothing within {} s", LIMIT.as_secs()))),
        }
    }

    /// MongoDB answers and can write.
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
        match *error.kind {
            mongodb::error::ErrorKind::BsonDeserialization(_) => DbError::Undecodable(error),
            _ => DbError::Driver(error),
        }
    }
}

impl DbError {
    /// [`DbError::Duplicate`], if that was all that was wrong.
    pub(super) fn or_duplicate(self) -> DbError {
        match self {
            DbError::Driver(error) if is_duplicate(&error) => DbError::Duplicate,
            error => error,
        }
    }
}

fn is_duplicate(error: &mongodb::error::Error) -> bool {
    use mongodb::error::{ErrorKind, WriteFailure};
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        ErrorKind::InsertMany(error) => {
            let mut errors = error.write_errors.iter().flatten();
            error.write_concern_error.is_none() && errors.all(|error| error.code == DUPLICATE_KEY)
        }
        _ => false,
    }
}
