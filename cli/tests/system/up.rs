use crate::{
    media::sample,
    stack::{Stack, until, up},
};
use serde_json::json;
use std::{net::TcpListener, path::Path, time::Duration};

/// Returns the processes that are still running; a zombie is not.
fn alive(pids: &[u64]) -> Vec<u64> {
    let runs = |pid: &u64| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim().is_empty() && !rest.starts_with(" Z"))
    };
    pids.iter().copied().filter(runs).collect()
}

/// Counts processes with the folder in their command line, as the engines have.
fn processes_of(folder: &Path) -> usize {
    let name = folder.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(name))
        .count()
}

#[tokio::test]
async fn data_survives_restarts_and_no_process_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stack = Stack::start(&data);
    let job = stack
        .run(&sample("speech/es.ogg"), &json!({ "stages": ["detect"] }))
        .await;
    let pids = stack.pids();
    assert_eq!(alive(&pids).len(), 7);
    assert_eq!(stack.stop(), Some(0));
    assert!(alive(&pids).is_empty());

    let again = Stack::start(&data);
    assert_eq!(
        again.job(&job["id"]).await["stages"]["detect"]["result"]["language"]["code"],
        "es"
    );
    // A second system on the same folder is refused, and the first continues.
    let second = up(&data, 0).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another"));
    assert_eq!(again.job(&job["id"]).await["status"], "succeeded");
    assert_eq!(again.stop(), Some(0));
}

#[tokio::test]
async fn nothing_outlives_a_killed_vidp_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stack = Stack::start(&data);
    let pids = stack.pids();
    stack.kill();
    until(Duration::from_secs(5), async || alive(&pids).is_empty()).await;
}

#[test]
fn an_error_at_the_start_names_its_part_and_stops_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let data = folder.path().join("data");
    let done = up(&data, port).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(errors.contains(&port.to_string()), "{errors}");
    assert_eq!(processes_of(&data), 0);
}
