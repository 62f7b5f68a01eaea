use crate::{client::Job, ui::output};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The stages in short, for a column: ended stages, all stages, and the share of the running one, as `1/2 42%`.
pub(super) fn stage_counts(job: &Job) -> String {
    let ended = job
        .stages
        .values()
        .filter(|stage| !matches!(stage.status.as_str(), "waiting" | "queued" | "running"))
        .count();
    let mut running = job.stages.values().filter(|stage| stage.status == "running");
    let share = running.next().map(|stage| stage.progress.unwrap_or(0.0) * 100.0);
    let share = share.map(|share| format!(" {share:.0}%")).unwrap_or_default();
    format!("{ended}/{}{share}", job.stages.len())
}

/// Every stage with its status, for programs: `detect:succeeded,scale:running:42`.
pub(super) fn all_stages(job: &Job) -> String {
    let stages = job.stages.iter().map(|(name, stage)| {
        let share = match stage.status.as_str() {
            "running" => format!(":{:.0}", stage.progress.unwrap_or(0.0) * 100.0),
            _ => String::new(),
        };
        format!("{name}:{}{share}", stage.status)
    });
    stages.collect::<Vec<_>>().join(",")
}

/// The age of a time of the API on a terminal; the time itself in a pipe.
pub(super) fn age(time: &str) -> String {
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
    fn stages_have_a_short_and_a_long_form() {
        let check = |stages: Value, counts: &str, all: &str| {
            let job = json!({
                "id": "1", "status": "running", "stages": stages, "source": {},
                "created_at": "", "updated_at": "",
            });
            let job = Job::parse(job).unwrap();
            assert_eq!(
                (stage_counts(&job).as_str(), all_stages(&job).as_str()),
                (counts, all)
            );
        };
        check(json!({ "scale": { "status": "queued" } }), "0/1", "scale:queued");
        check(
            json!({ "detect": { "status": "failed" }, "scale": { "status": "running", "progress": 0.42 } }),
            "1/2 42%",
            "detect:failed,scale:running:42",
        );
    }
}
