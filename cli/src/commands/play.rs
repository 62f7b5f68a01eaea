//! `--play`: shows a job in the browser from the moment at which its film can be played.

use crate::{
    client::{Client, Job, page_path},
    ui::{
        browser::{self, OPENER},
        output,
        progress::Display,
    },
};
use anyhow::Result;

/// The page of a job, which is opened once.
pub struct Page {
    address: String,
    opened: bool,
}

/// The effect of a job's state on its page.
#[derive(Debug, PartialEq)]
enum Step {
    /// The film can be played for the first time.
    Open,
    /// The job has ended without a stream.
    GiveUp,
    /// There is nothing to do.
    Wait,
}

impl Page {
    /// The page of the job with this id on the client's server.
    pub fn new(client: &Client, id: &str) -> Result<Page> {
        Ok(Page::at(client.url(&page_path(id)?)))
    }

    fn at(address: String) -> Page {
        Page {
            address,
            opened: false,
        }
    }

    /// Prints the address when the job can be played for the first time. On a terminal it also opens the browser.
    pub fn update(&mut self, job: &Job, display: &Display) {
        match self.step(job) {
            Step::Wait => {}
            Step::GiveUp => display.note("The job has no stream to play."),
            Step::Open => {
                display.note(&format!("Play the film at {}", self.address));
                if output::is_terminal()
                    && let Err(error) = browser::open(&self.address)
                {
                    display.note(&format!(
                        "Open this address in a browser: {OPENER} did not start ({error})."
                    ));
                }
            }
        }
    }

    fn step(&mut self, job: &Job) -> Step {
        if self.opened {
            return Step::Wait;
        }
        self.opened = job.playable_at.is_some();
        match (self.opened, job.has_ended()) {
            (true, _) => Step::Open,
            (false, true) => Step::GiveUp,
            (false, false) => Step::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(states: &[(&str, Option<&str>, Step)]) {
        let mut page = Page::at("http://127.0.0.1:8000/#/jobs/1".to_owned());
        for (status, playable_at, expected) in states {
            let job = json!({
                "id": "1", "status": status, "stages": {}, "source": {}, "playable_at": playable_at,
                "created_at": "2026-11-27T17:50:45Z", "updated_at": "2026-11-27T17:50:45Z",
            });
            let job = Job::parse(job).unwrap();
            assert_eq!(page.step(&job), *expected, "{status}");
        }
    }

    #[test]
    fn a_page_opens_once_and_before_the_end_of_the_job() {
        let at = Some("2026-11-27T17:51:00Z");
        check(&[
            ("queued", None, Step::Wait),
            ("running", None, Step::Wait),
            ("running", at, Step::Open),
            ("running", at, Step::Wait),
            ("succeeded", at, Step::Wait),
        ]);
        check(&[("succeeded", at, Step::Open)]);
        check(&[("running", None, Step::Wait), ("failed", None, Step::GiveUp)]);
    }
}
