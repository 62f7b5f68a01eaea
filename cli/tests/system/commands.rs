//! The command line in scripts: in a pipe, with JSON, exit codes and configuration.

use crate::{
    media::sample,
    stack::{LIMIT, Stack, shared, until, vidp},
};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::Command,
};

struct Finished {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(command: &mut Command) -> Finished {
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Finished {
        code: done.status.code(),
        out: text(&done.stdout),
        err: text(&done.stderr),
    }
}

fn on(stack: &Stack, args: &[&str]) -> Finished {
    run(vidp().args(args).env("VIDP_SERVER", &stack.url))
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Uploads the sample without waiting; returns the job's id, the only output.
fn submitted(stack: &Stack, more: &[&str]) -> String {
    let clip = sample("clip.mp4");
    let args = [
        "submit",
        clip.to_str().unwrap(),
        "--stages=scale",
        "--renditions=144p",
    ];
    let output = on(stack, &[&args, more].concat());
    assert_eq!(output.code, Some(0), "{}", output.err);
    output.out
}

#[tokio::test]
async fn jobs_are_listed_cancelled_retried_and_removed() {
    let stack = shared();
    let id = submitted(stack, &["--codec=av1", "--renditions=720p"]);
    let refused = on(stack, &["rm", &id]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("cancel it first"), "{}", refused.err);
    let cancelled = on(stack, &["cancel", &id, "--json"]);
    assert_eq!(json_lines(&cancelled.out)[0]["status"], "cancelled");
    let watched = on(stack, &["watch", &id]);
    assert_eq!(watched.code, Some(5), "{}", watched.err);
    let listed = on(stack, &["jobs", "--status=cancelled", "--all"]);
    assert!(listed.out.contains(&id), "{}", listed.out);
    let found = on(
        stack,
        &["jobs", "--search", &id[..13].to_uppercase(), "--status=cancelled"],
    );
    assert!(found.out.contains(&id), "{}", found.out);
    let none = on(stack, &["jobs", "--search=no such film"]);
    assert_eq!((none.code, none.out.as_str()), (Some(0), ""));
    let running = on(stack, &["jobs", "--status=succeeded", "--all"]);
    assert!(!running.out.contains(&id), "{}", running.out);

    // The other job is still retried after an error.
    let retried = on(stack, &["retry", "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91", &id]);
    assert_eq!(retried.code, Some(1));
    assert!(retried.out.starts_with(&id), "{}", retried.out);
    assert!(retried.err.contains("not_found"), "{}", retried.err);
    let removed = on(stack, &["rm", "--cancel", &id]);
    assert_eq!(
        (removed.code, removed.out.as_str()),
        (Some(0), &*format!("{id}\tdeleted"))
    );
    let gone = on(stack, &["get", &id]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("`vidp jobs`"), "{}", gone.err);
}

#[tokio::test]
async fn a_job_is_followed_by_its_events() {
    let stack = shared();
    let id = submitted(stack, &[]);
    let output = on(stack, &["events", &id, "--json"]);
    assert_eq!(output.code, Some(0), "{}", output.err);
    let events = json_lines(&output.out);
    assert!(events.iter().all(|event| event["data"]["id"] == id.as_str()));
    assert_eq!(events.last().unwrap()["data"]["status"], "succeeded");
    // No event follows the last one.
    let last = events.last().unwrap()["id"].as_str().unwrap();
    let after = on(stack, &["events", &id, "--after", last]);
    assert_eq!((after.code, after.out.as_str()), (Some(0), ""), "{}", after.err);
}

#[tokio::test]
async fn new_jobs_are_followed() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut following = vidp()
        .args(["jobs", "--follow", "--limit=1", "--server", &stack.url])
        .stdout(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    // The list is printed after the connection to the events.
    submitted(stack, &[]);
    until(LIMIT, async || !fs::read_to_string(&log).unwrap().is_empty()).await;
    let id = submitted(stack, &[]);
    let done = format!("{id}\tsucceeded");
    until(LIMIT, async || fs::read_to_string(&log).unwrap().contains(&done)).await;
    following.kill().unwrap();
    following.wait().unwrap();
}

#[tokio::test]
async fn other_files_and_jobs_continue_after_an_error() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    let (clip, empty) = (sample("clip.mp4"), folder.path().join("empty.mp4"));
    fs::write(&empty, "").unwrap();
    let [clip, empty] = [&clip, &empty].map(|path| path.to_str().unwrap());
    // Refused before anything is sent.
    let output = on(stack, &["submit", clip, empty, "--stages=scale"]);
    assert_eq!(
        (output.code, output.out.as_str()),
        (Some(1), ""),
        "{}",
        output.err
    );
    assert!(output.err.contains("empty.mp4 is empty"), "{}", output.err);
    let text = folder.path().join("text.mp4");
    fs::write(&text, "this is no video").unwrap();
    let args = [
        "submit",
        text.to_str().unwrap(),
        clip,
        "--stages=scale",
        "--renditions=144p",
        "--external-id=pair",
    ];
    let sent = on(stack, &args);
    let ids: Vec<&str> = sent.out.lines().collect();
    assert_eq!((sent.code, ids.len()), (Some(0), 2), "{}", sent.err);
    let unknown = "0198c2a4-6f0b-7d5e-8c1a-2f4e6d8b0a91";
    let watched = on(stack, &["watch", ids[0], unknown, ids[1], "--json"]);
    assert_eq!(watched.code, Some(1));
    let statuses: Vec<_> = json_lines(&watched.out)
        .iter()
        .map(|job| job["status"].clone())
        .collect();
    assert_eq!(statuses, ["failed", "succeeded"]);
    assert!(watched.err.contains(&format!("job {unknown}")), "{}", watched.err);
    let found = on(stack, &["jobs", "--external-id=pair", "--json"]);
    assert_eq!(json_lines(&found.out).len(), 2);
    // An output folder that cannot be created is refused before anything is sent.
    let output = on(stack, &["submit", clip, "--out=/proc/none"]);
    assert_eq!(
        (output.code, output.out.as_str()),
        (Some(1), ""),
        "{}",
        output.err
    );
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_not() {
    let full = fs::File::create("/dev/full").unwrap();
    let mut jobs = vidp();
    jobs.args(["model", "list", "--available"]);
    let output = jobs.stdout(full).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("No space left"), "{errors}");
}

/// Publishes a message with the bare NATS protocol: one message does not need a client library.
fn publish(stack: &Stack, subject: &str, header: &str, text: &str) {
    let state = stack.state();
    let url = state["environment"]["VIDP_NATS_URL"].as_str().unwrap();
    let mut socket = TcpStream::connect(url.trim_start_matches("nats://")).unwrap();
    let head = format!("NATS/1.0\r\n{header}\r\n\r\n");
    let (before, all) = (head.len(), head.len() + text.len());
    let output = format!(
        "CONNECT {{\"verbose\":false,\"headers\":true}}\r\nHPUB {subject} {before} {all}\r\n{head}{text}\r\nPING\r\n"
    );
    socket.write_all(output.as_bytes()).unwrap();
    let mut answers = BufReader::new(socket).lines().map(Result::unwrap);
    assert!(answers.any(|line| line == "PONG"));
}

#[tokio::test]
async fn dead_letters_are_read_sent_back_and_discarded() {
    let stack = shared();
    let task = "01a21e33-aa7c-7396-bf07-698540903c09";
    let subject = format!("vidp.tasks.scale.interactive.{task}");
    publish(stack, &subject, "X-Test: 1", "not a task");
    let list = || json_lines(&on(stack, &["dead", "list", "--json"]).out);
    until(LIMIT, async || list().len() == 1).await;
    let letter = &list()[0];
    let id = letter["id"].to_string();
    let shown = on(stack, &["dead", "show", &id]);
    assert!(shown.out.contains("not a task"), "{}", shown.out);
    let row = on(stack, &["dead", "list"]);
    assert!(row.out.starts_with(&format!("{id}\tscale")), "{}", row.out);

    // It is still no task.
    let refused = on(stack, &["dead", "redrive", &id]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("the message is not a task"),
        "{}",
        refused.err
    );
    // The API reads a result of a deleted job and ignores it.
    let home = format!("Vidp-Subject: vidp.results.detect.{task}");
    let result = format!(
        r#"{{"task_id":"{task}","job_id":"{task}","stage":"detect","attempt":1,"outcome":{{"skipped":{{"code":"no_speech"}}}},"timings":{{}},"worker":"w"}}"#
    );
    publish(stack, "vidp.dead.results", &home, &result);
    until(LIMIT, async || list().len() == 2).await;
    let again = list()[1]["id"].to_string();
    let sent = on(stack, &["dead", "redrive", &again, "--json"]);
    assert_eq!(json_lines(&sent.out)[0]["status"], "sent back", "{}", sent.err);
    let discarded = on(stack, &["dead", "discard", &id, &again]);
    assert_eq!(discarded.code, Some(1));
    assert!(
        discarded.out.contains(&format!("{id}\tdiscarded")),
        "{}",
        discarded.out
    );
    assert!(discarded.err.contains("not_found"), "{}", discarded.err);
    assert!(list().is_empty());
}

#[test]
fn exit_codes_and_errors_explain_the_failure() {
    let stack = shared();
    let usage = on(stack, &["submit"]);
    assert_eq!(usage.code, Some(2));
    for wrong in ["--renditions=500p", "--max-size-mb=NaN", "--max-size-mb=-1"] {
        assert_eq!(on(stack, &["submit", "x.mp4", wrong]).code, Some(2), "{wrong}");
    }
    let days = on(stack, &["keys", "create", "x", "--expires-days=9999999"]);
    assert_eq!(days.code, Some(2), "{}", days.err);
    let address = run(vidp().args(["jobs", "--server", "localhost:8000"]));
    assert!(address.err.contains("begins with http://"), "{}", address.err);
    let usage = on(stack, &["submit", "x.mp4", "--stages=cook"]);
    assert_eq!(usage.code, Some(2));
    assert!(usage.err.contains("detect, scale, subtitle"), "{}", usage.err);
    let unreachable = run(vidp().args(["jobs", "--server", "http://127.0.0.1:9"]));
    assert_eq!(unreachable.code, Some(1));
    assert!(
        unreachable.err.contains("`vidp up` starts one"),
        "{}",
        unreachable.err
    );
    let help = on(stack, &["--help"]);
    for code in ["partial", "cancelled", "Ctrl-C", "config.toml"] {
        assert!(help.out.contains(code), "{}", help.out);
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = on(stack, &["completions", shell]);
        assert!(
            script.out.contains("submit") && script.out.contains("external-id"),
            "{shell}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let man = on(stack, &["man", folder.path().to_str().unwrap()]);
    assert_eq!(man.code, Some(0), "{}", man.err);
    let page = fs::read_to_string(folder.path().join("vidp-dead-redrive.1")).unwrap();
    assert!(page.contains(".TH vidp"), "{page}");
}

#[tokio::test]
async fn a_profile_names_server_and_key() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vidp/config.toml");
    fs::create_dir(file.parent().unwrap()).unwrap();
    let text = format!(
        "default_profile = 'none'\n[profiles.none]\nurl = 'http://127.0.0.1:9'\n[profiles.here]\nurl = '{}'\nkey = 'vidp_x'\n",
        stack.url
    );
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let jobs = |args: &[&str], profile: Option<&str>| {
        let mut command = vidp();
        command
            .arg("jobs")
            .args(args)
            .env("XDG_CONFIG_HOME", folder.path());
        if let Some(profile) = profile {
            command.env("VIDP_PROFILE", profile);
        }
        run(&mut command)
    };
    assert_eq!(jobs(&[], None).code, Some(1));
    let found = jobs(&[], Some("here"));
    assert_eq!(found.code, Some(0), "{}", found.err);
    assert!(found.err.contains("chmod 600"), "{}", found.err);
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let found = jobs(&["--profile=here"], Some("none"));
    assert_eq!((found.code, found.err.as_str()), (Some(0), ""));
    let unknown = jobs(&["--profile=elsewhere"], None);
    assert!(
        unknown.err.contains("the profiles are: here, none"),
        "{}",
        unknown.err
    );
    fs::write(&file, "colour = 1").unwrap();
    let wrong = jobs(&[], None);
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.err.contains("colour") && wrong.err.contains("config.toml"),
        "{}",
        wrong.err
    );
}

#[test]
fn the_doctor_says_how_to_fix_what_is_missing() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = folder.path().to_str().unwrap();
    let output = on(
        stack,
        &["doctor", "--json", "--data-dir", folder, "--api-port", &port],
    );
    assert_eq!(output.code, Some(1));
    let checks = json_lines(&output.out);
    let of = |name: &str| checks.iter().find(|check| check["check"] == name).unwrap();
    assert_eq!(of("port")["status"], "fail");
    assert!(
        of("port")["detail"].as_str().unwrap().contains("--api-port"),
        "{}",
        output.out
    );
    for (name, good) in [
        ("kernel", "seccomp"),
        ("Landlock", "version"),
        ("processor", "AVX2"),
        ("ffmpeg", "ffmpeg version"),
        ("server", "has version"),
        ("config", "profiles"),
    ] {
        assert_eq!(of(name)["status"], "ok", "{}", output.out);
        assert!(
            of(name)["detail"].as_str().unwrap().contains(good),
            "{}",
            output.out
        );
    }
}
