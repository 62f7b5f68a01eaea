//! Entity tags of jobs (RFC 9110, section 8.8.3).

use vidp_record::job::Job;

/// The tag of a job's present state.
pub fn etag(job: &Job) -> String {
    format!("\"{}\"", job.rev)
}

/// Whether `If-Match` names this tag (RFC 9110, section 13.1.1).
pub fn matches(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .any(|one| matches!(one.trim(), "*") || one.trim() == tag)
}
