//! MongoDB. The queries and indexes of each collection are in the file of its name.
//!
//! To add a query, write a method of [`Db`] beside the others of its collection, run it through [`Db::run`], and give
//! it an index in that file's `indexes()`.

mod batches;
mod client;
mod deliveries;
mod jobs;
mod keys;
mod open;
mod resumables;
mod webhooks;

pub use batches::Counts;
pub use client::{Db, DbError};
pub use deliveries::Next;
pub use jobs::{Ages, Filter, Updated};
pub use open::Open;

impl Db {
    /// Creates the indexes of every collection.
    pub async fn ensure_indexes(&self) -> Result<(), DbError> {
        self.ensure_indexes_of(jobs::NAME, jobs::indexes()).await?;
        self.ensure_indexes_of(keys::NAME, keys::indexes()).await?;
        self.ensure_indexes_of(batches::NAME, batches::indexes()).await?;
        self.ensure_indexes_of(resumables::NAME, resumables::indexes())
            .await?;
        self.ensure_indexes_of(webhooks::NAME, webhooks::indexes())
            .await?;
        self.ensure_indexes_of(deliveries::NAME, deliveries::indexes())
            .await?;
        self.set_indexed();
        Ok(())
    }
}
