//! The command line on a pseudo-terminal, as a person uses it.

use crate::{
    media::sample,
    stack::{LIMIT, Stack, http, shared, vidp},
};
use axum::{Router, http::StatusCode, routing};
use rexpect::{
    process::WaitStatus,
    session::{PtySession, spawn_command},
};
use serde_json::{Value, json};

/// Runs `vidp` on a terminal of 80 columns.
fn session(stack: &str, args: &[&str], environment: &[(&str, &str)]) -> PtySession {
    let mut command = vidp();
    command
        .args(args)
        .env("VIDP_SERVER", stack)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .envs(environment.iter().copied());
    spawn_command(command, Some(LIMIT.as_millis() as u64)).unwrap()
}

/// Waits for the end; returns the rest of the output and the exit code.
fn end(mut session: PtySession) -> (String, i32) {
    let text = session.exp_eof().unwrap();
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => (text, code),
        other => panic!("{other:?}: {text}"),
    }
}

/// A job that takes longer than the test.
fn long_job(stack: &Stack) -> (PtySession, Value) {
    let clip = sample("clip.mp4");
    let args = [
        "submit",
        clip.to_str().unwrap(),
        "--wait",
        "--stages=scale",
        "--renditions=720p",
        "--codec=av1",
    ];
    let mut session = session(&stack.url, &args, &[]);
    session.exp_string("scale").unwrap();
    session.exp_string("%").unwrap();
    session.send_control('c').unwrap();
    let (_, back) = session.exp_regex("`vidp watch [0-9a-f-]{36}`").unwrap();
    let id = back.trim_matches('`').rsplit(' ').next().unwrap().to_owned();
    (session, json!(id))
}

#[tokio::test]
async fn ctrl_c_once_detaches_from_the_job() {
    let stack = shared();
    let (session, id) = long_job(stack);
    assert_eq!(end(session).1, 130);
    let job = stack.job(&id).await;
    assert!(
        ["queued", "running"].contains(&job["status"].as_str().unwrap()),
        "{job:#}"
    );
    let cancel = session_output(stack, &["cancel", id.as_str().unwrap()]);
    assert!(cancel.contains("cancelled"), "{cancel}");
}

fn session_output(stack: &Stack, args: &[&str]) -> String {
    let (text, code) = end(session(&stack.url, args, &[]));
    assert_eq!(code, 0, "{text}");
    text
}

#[tokio::test]
async fn ctrl_c_twice_cancels_the_job() {
    let stack = shared();
    let (mut session, id) = long_job(stack);
    session.send_control('c').unwrap();
    let (text, code) = end(session);
    assert_eq!(code, 5, "{text}");
    assert_eq!(stack.job(&id).await["status"], "cancelled");
}

#[tokio::test]
async fn ctrl_c_stops_an_upload() {
    // A server that never finishes the upload: the real one is too fast to be interrupted.
    let app = Router::new()
        .route("/api/v1/processing/health", routing::get(|| async {}))
        .route(
            "/files",
            routing::post(async || (StatusCode::CREATED, [("location", "/files/1")])),
        )
        .route(
            "/files/1",
            routing::head(async || [("upload-offset", "0")]).patch(std::future::pending::<()>),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    let (text, code) = tokio::task::spawn_blocking(move || {
        let mut session = session(&url, &["submit", sample("clip.mp4").to_str().unwrap()], &[]);
        session.exp_string("upload").unwrap();
        session.send_control('c').unwrap();
        end(session)
    })
    .await
    .unwrap();
    assert_eq!(code, 130, "{text}");
    assert!(
        text.contains("Stopped the upload of") && text.contains("clip.mp4; it has no job yet"),
        "{text}"
    );
}

#[tokio::test]
async fn a_terminal_gets_bars_columns_and_colours_unless_no_color_is_set() {
    let stack = shared();
    let clip = sample("clip.mp4");
    let args = [
        "submit",
        clip.to_str().unwrap(),
        "--wait",
        "--stages=scale",
        "--renditions=144p",
    ];
    let text = session_output(stack, &args);
    for part in [
        "upload",
        "====",
        "real time",
        "\u{1b}[32msucceeded",
        "144p.mp4",
        "vidp get ",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let table = session_output(stack, &["jobs", "--limit=5"]);
    assert!(
        table.contains("STATUS") && table.contains("\u{1b}[32msucceeded"),
        "{table}"
    );
    let (plain, _) = end(session(&stack.url, &["jobs"], &[("NO_COLOR", "1")]));
    assert!(
        plain.contains("succeeded") && !plain.contains('\u{1b}'),
        "{plain}"
    );
    for line in plain.lines() {
        assert!(line.trim_end().chars().count() <= 80, "{line}");
    }

    // In a pipe, the fields are separated by tabs.
    let piped = vidp().args(["jobs", "--server", &stack.url]).output().unwrap();
    let piped = String::from_utf8(piped.stdout).unwrap();
    let newest: Value = http()
        .get(stack.jobs_url())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(newest["data"].as_array().unwrap().len() >= piped.lines().count().min(20));
    assert!(piped.lines().all(|line| line.split('\t').count() == 5), "{piped}");
    assert!(
        piped.contains("scale:succeeded") && !piped.contains('\u{1b}'),
        "{piped}"
    );
}
