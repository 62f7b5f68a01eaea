use crate::{
    media::sample,
    stack::{Stack, up},
};
use serde_json::json;
use std::{net::TcpListener, path::Path};

/// Every process that has the folder's name in its command line.
fn processes_of(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains(name))
        .collect()
}

#[tokio::test]
async fn data_is_kept_across_restarts_and_nothing_is_left_running() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stack = Stack::start(&data);
    let job = stack
        .run(&sample("speech/es.ogg"), &json!({ "stages": ["detect"] }))
        .await;
    assert!(!processes_of(&data).is_empty());
    assert_eq!(stack.stop(), Some(0));
    assert_eq!(processes_of(&data), Vec::<String>::new());

    let again = Stack::start(&data);
    assert_eq!(
        again.job(&job["id"]).await["stages"]["detect"]["result"]["language"]["code"],
        "es"
    );
    // A second one on the same folder is refused and does no harm.
    let second = up(&data, 0).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another"));
    assert_eq!(again.job(&job["id"]).await["status"], "succeeded");
    assert_eq!(again.stop(), Some(0));
    assert_eq!(processes_of(&data), Vec::<String>::new());
}

#[test]
fn a_part_that_cannot_start_is_named_and_the_rest_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let data = folder.path().join("data");
    let done = up(&data, port).output().unwrap();
    assert!(!done.status.success());
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(told.contains(&port.to_string()), "{told}");
    assert_eq!(processes_of(&data), Vec::<String>::new());
}
