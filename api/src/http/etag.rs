//! Entity tags of jobs (RFC 9110, section 8.8.3).

use vidp_record::job::Job;

/// The tag of a job's current state.
pub(crate) fn etag(job: &Job) -> String {
    format!("\"{}\"", job.rev)
}

/// True if `If-Match` contains this tag (RFC 9110, section 13.1.1).
pub(crate) fn matches(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .any(|one| matches!(one.trim(), "*") || one.trim() == tag)
}
