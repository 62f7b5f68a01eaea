//! The worker that has the task of a film.

use super::chunk::Encoder;
use crate::job::Job;

/// The worker of the task: it plans, offers parts, makes those that no other worker takes, and joins all.
pub(super) struct Lead<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) encoder: Encoder<'a>,
}
