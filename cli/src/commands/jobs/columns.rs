//! Jobs of a server: listed, followed and changed.

pub mod change;
pub mod events;
pub mod list;

use crate::{client::Job, output};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The stages in a few words for a column: how many are done of how many, and how far the running one is.
fn short(job: &Job) -> String {
    let done = job
        .stages
        .values()
        .filter(|stage| !matches!(stage.status.as_str(), "waiting" | "queued" | "running"))
        .count();
    let mut running = job.stages.values().filter(|stage| stage.status == "running");
    let share = running.next().map(|stage| stage.progress.unwrap_or(0.0) * 100.0);
    let share = share.map(|share| format!(" {share:.0}%")).unwrap_or_default();
    format!("{done}/{}{share}", job.stages.len())
}

/// Every stage for programs: `detect:succeeded,scale:running:42`.
fn long(job: &Job) -> String {
    let stages = job.stages.iter().map(|(name, stage)| {
        let share = match stage.status.as_str() {
            "running" => format!(":{:.0}", stage.progress.unwrap_or(0.0) * 100.0),
            _ => String::new(),
        };
        format!("{name}:{}{share}", stage.status)
    });
    stages.collect::<Vec<_>>().join(",")
}

/// How long ago a time of the API was: an age on a terminal, the time itself in a pipe.
fn since(time: &str) -> String {
    let parsed = OffsetDateTime::parse(time, &Rfc3339);
    match parsed {
        Ok(then) if output::is_terminal() => output::age((OffsetDateTime::now_utc() - then).whole_seconds()),
        _ => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn stages_are_told_short_and_long() {
        let check = |stages: Value, told: &str, all: &str| {
            let job = json!({
                "id": "1", "status": "running", "stages": stages, "source": {},
                "created_at": "", "updated_at": "",
            });
            let job = Job::parse(job).unwrap();
            assert_eq!((short(&job).as_str(), long(&job).as_str()), (told, all));
        };
        check(json!({ "scale": { "status": "queued" } }), "0/1", "scale:queued");
        check(
            json!({ "detect": { "status": "failed" }, "scale": { "status": "running", "progress": 0.42 } }),
            "1/2 42%",
            "detect:failed,scale:running:42",
        );
    }
}
