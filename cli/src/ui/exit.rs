//! Exit codes, and what to do about an error.

use crate::{
    client::{Failure, Job},
    output,
};
use anyhow::Error;
use console::style;
use reqwest::StatusCode;
use std::process::ExitCode;

/// The last part of `--help`.
pub const CODES: &str = "\
Exit codes:
  0    succeeded
  1    the command failed
  2    wrong usage
  3    partial: some stages, or some jobs, failed
  4    failed: all of them
  5    cancelled
  130  stopped by Ctrl-C; the jobs go on

Configuration: flags, then environment, then the file ~/.config/vidp/config.toml.";

/// Ended by Ctrl-C, as shells count it.
pub const INTERRUPTED: u8 = 130;
/// Some of several failed.
const PARTIAL: u8 = 3;
/// All of them failed.
const FAILED: u8 = 4;
const CANCELLED: u8 = 5;

/// What the shell gets to know of jobs that are over.
pub fn of_jobs<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> ExitCode {
    ExitCode::from(code(jobs.into_iter().map(|job| job.status.as_str())))
}

/// The same of statuses.
pub fn code<'a>(statuses: impl IntoIterator<Item = &'a str>) -> u8 {
    let mut codes: Vec<u8> = statuses
        .into_iter()
        .map(|status| match status {
            "succeeded" => 0,
            "partial" => PARTIAL,
            "cancelled" => CANCELLED,
            // What never became a job, as well.
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

/// Says what went wrong, and what to do next.
pub fn complain(error: &Error) {
    // Line by line: some errors show the lines that are wrong.
    let text = format!("{error:#}");
    let text: Vec<_> = text.lines().map(output::plain).collect();
    eprintln!(
        "{} {}",
        style("error:").red().bold().for_stderr(),
        text.join("\n")
    );
    if let Some(step) = next_step(error) {
        eprintln!("{step}");
    }
}

/// What to do about an error, if that is known.
pub fn next_step(error: &Error) -> Option<String> {
    match Failure::of(error)? {
        Failure::NoAnswer { .. } => Some(
            "Is it running? `vidp up` starts one on this machine; --server, --profile or VIDP_SERVER name another."
                .to_owned(),
        ),
        Failure::Refused {
            status,
            code,
            retry_after,
            ..
        } => match code.parse::<u16>() {
            // Without a problem document.
            Ok(_) => Some("That does not look like VidP: --server, --profile or VIDP_SERVER name another.".to_owned()),
            Err(_) => refused(*status, retry_after.map(|wait| wait.as_secs())),
        },
    }
}

fn refused(status: StatusCode, wait: Option<u64>) -> Option<String> {
    let step = match status {
        StatusCode::UNAUTHORIZED => {
            "Set VIDP_API_KEY or --key to a good API key; `vidp keys create` makes one.".to_owned()
        }
        StatusCode::FORBIDDEN => {
            "This API key may not do that: use one with the scope that is asked for.".to_owned()
        }
        StatusCode::NOT_FOUND => {
            "`vidp jobs`, `vidp keys list` and `vidp dead list` say what there is; another --key sees other jobs.".to_owned()
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => match wait {
            Some(seconds) => format!("Try again in {seconds} s."),
            None => "Try again in a while.".to_owned(),
        },
        StatusCode::INTERNAL_SERVER_ERROR => {
            "The server's log says more; `vidp doctor` looks at the rest.".to_owned()
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
            assert_eq!(code(statuses.iter().copied()), expected, "{statuses:?}")
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
