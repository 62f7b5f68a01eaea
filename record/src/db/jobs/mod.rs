//! The collection `jobs`: one document for each job.

mod due;
mod fields;
mod indexes;
mod list;
mod open;
mod store;

pub use due::Origin;
pub(super) use fields::NAME;
pub(super) use indexes::indexes;
pub use list::Filter;
pub use open::Ages;
pub use store::Updated;
