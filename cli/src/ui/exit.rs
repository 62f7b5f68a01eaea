//! Exit codes, error messages, and the next step after an error.

use super::output;
use crate::client::{Failure, Job};
use anyhow::Error;
use console::style;
use reqwest::StatusCode;
use std::process::ExitCode;

/// The last part of `vidp --help`.
pub const CODES: &str = "\
Exit codes:
  0    succeeded
  1    the command failed
  2    wrong usage
  3    partial: some stages or some jobs failed
  4    failed: all stages or all jobs failed
  5    cancelled
  130  stopped by Ctrl-C; the jobs continue

Configuration, in this order: flags, environment variables, the file ~/.config/vidp/config.toml.";

/// Ended by Ctrl-C: 128 plus the number of SIGINT, as in a shell.
pub const INTERRUPTED: u8 = 130;
/// Some stages or jobs failed.
const PARTIAL: u8 = 3;
/// All stages or jobs failed.
const FAILED: u8 = 4;
/// The jobs were cancelled.
const CANCELLED: u8 = 5;

/// The exit code for jobs that have ended.
pub fn code_of_jobs<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> ExitCode {
    ExitCode::from(code_of_statuses(jobs.into_iter().map(|job| job.status.as_str())))
}

/// The exit code for the statuses of jobs: the common one, or 3 when they differ.
pub fn code_of_statuses<'a>(statuses: impl IntoIterator<Item = &'a str>) -> u8 {
    let mut codes: Vec<u8> = statuses
        .into_iter()
        .map(|status| match status {
            "succeeded" => 0,
            "partial" => PARTIAL,
            "cancelled" => CANCELLED,
            // Includes the statuses of videos that did not become jobs.
            _ => FAILED,
        })
        .collect();
    codes.sort_unstable();
    codes.dedup();
    match codes[..] {
        [] => 0,
        [code] => code,
        _ => PARTIAL,
    }
}

/// Prints an error and the next step on standard error.
pub fn print_error(error: &Error) {
    // Line by line: errors in a configuration file quote its lines.
    let text = format!("{error:#}");
    let text: Vec<_> = text.lines().map(output::printable).collect();
    eprintln!(
        "{} {}",
        style("error:").red().bold().for_stderr(),
        text.join("\n")
    );
    if let Some(step) = next_step(error) {
        eprintln!("{step}");
    }
}

/// Advice for an error, where there is any.
pub fn next_step(error: &Error) -> Option<String> {
    match Failure::of(error)? {
        Failure::NoAnswer { .. } => Some(
            "Is the server running? `vidp up` starts one on this machine; --server, --profile or VIDP_SERVER selects another."
                .to_owned(),
        ),
        Failure::Refused {
            status,
            code,
            retry_after,
            ..
        } => match code.parse::<u16>() {
            // A status in place of a code: the answer had no problem document.
            Ok(_) => Some(
                "This does not look like a VidP server: --server, --profile or VIDP_SERVER selects another.".to_owned(),
            ),
            Err(_) => refused(*status, retry_after.map(|wait| wait.as_secs())),
        },
    }
}

fn refused(status: StatusCode, wait: Option<u64>) -> Option<String> {
    let step = match status {
        StatusCode::UNAUTHORIZED => {
            "Set VIDP_API_KEY or --key to a valid API key; `vidp keys create` makes one.".to_owned()
        }
        StatusCode::FORBIDDEN => {
            "This API key lacks the required scope: use another key.".to_owned()
        }
        StatusCode::NOT_FOUND => {
            "`vidp jobs`, `vidp keys list` and `vidp dead list` list what exists; jobs of another tenant need its --key.".to_owned()
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => match wait {
            Some(seconds) => format!("Try again in {seconds} s."),
            None => "Try again later.".to_owned(),
        },
        StatusCode::INTERNAL_SERVER_ERROR => {
            "The server's log has the details; `vidp doctor` checks the system.".to_owned()
        }
        _ => return None,
    };
    Some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_jobs_have_one_exit_code() {
        let check = |statuses: &[&str], expected| {
            assert_eq!(
                code_of_statuses(statuses.iter().copied()),
                expected,
                "{statuses:?}"
            )
        };
        check(&["succeeded"], 0);
        check(&["succeeded", "succeeded"], 0);
        check(&["partial"], 3);
        check(&["failed", "failed"], 4);
        check(&["cancelled"], 5);
        check(&["succeeded", "failed"], 3);
        check(&["cancelled", "failed"], 3);
    }

    #[test]
    fn a_refusal_says_how_long_to_wait() {
        let step = refused(StatusCode::TOO_MANY_REQUESTS, Some(12)).unwrap();
        assert!(step.contains("12 s"), "{step}");
    }
}
