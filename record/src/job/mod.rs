//! The job document: everything that VidP stores about one video. MongoDB, collection `jobs`.

mod document;
mod event;
mod revision;
mod stage;
mod status;

pub use document::{Job, Retries};
pub use event::{Announcement, EventKind, LastEvent};
pub use stage::{Dispatch, DispatchState, GrowingStream, StageError, StageState};
pub use status::{JobStatus, StageStatus};
