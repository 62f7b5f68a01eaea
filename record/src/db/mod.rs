//! MongoDB. The queries and indexes of each collection are in the file of its name.
//!
//! To add a query, write a method of [`Db`] beside the others of its collection, and give it an index in that file's
//! `indexes()`. Reads run through the functions of `read.rs`, which limit their time, and writes through [`Db::run`].
//!
//! A public query is `#[boxed]`: it returns a boxed future. The compiler generates the code of an `async fn` in each crate that
//! awaits it; without the box, `pipeline` and `api` would both compile the queries and the (de)serialisation of every document
//! again. The attribute is that of the crate `async-recursion`, which boxes futures for recursion.

mod batches;
mod client;
mod deliveries;
mod jobs;
mod keys;
mod messages;
mod open;
mod read;
mod resumables;
mod turns;
mod webhooks;

use async_recursion::async_recursion as boxed;
pub use batches::Counts;
pub use client::{Db, DbError};
pub use deliveries::{Busy, Next};
pub use jobs::{Ages, Filter, Origin, Updated};
pub use open::Open;

impl Db {
    /// Creates the indexes of every collection.
    #[boxed]
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
        self.ensure_indexes_of(messages::NAME, messages::indexes())
            .await?;
        self.set_indexed();
        Ok(())
    }
}
