//! Streams in hls.js, shaka-player and dash.js, in Debian's Chromium: runs `scripts/players` on the whole system.

use crate::stack::{Stack, up};
use std::path::Path;

#[test]
fn players_play_streams() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = up(&data, 0);
    command.env("VIDP_LOG_FILTER", "debug");
    let stack = Stack::start_as(&data, command);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut test = std::process::Command::new(root.join(".engines/web-venv/bin/python"));
    test.arg(root.join("scripts/players/run.py"))
        .args(["--url", &stack.url]);
    // The other kinds of video take some minutes: VIDP_PLAYERS="" plays all.
    let only = std::env::var("VIDP_PLAYERS").unwrap_or_else(|_| "speech".to_owned());
    test.args(["--only", &only]);
    let done = test.output().unwrap();
    let (output, errors) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    println!("{output}");
    assert!(done.status.success(), "{output}{errors}");
    // Grants and presigned URLs are secrets, so that no log has one.
    let logs: Vec<_> = std::fs::read_dir(stack.folder.join("logs")).unwrap().collect();
    let grants: Vec<&str> = output
        .lines()
        .filter_map(|line| line.strip_prefix("grant "))
        .collect();
    assert!(!grants.is_empty() && logs.len() > 3, "{output}");
    for log in logs {
        let path = log.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let secret = grants
            .iter()
            .chain(&["X-Amz-Signature"])
            .find(|secret| text.contains(**secret));
        assert_eq!(secret, None, "{}", path.display());
    }
    assert_eq!(stack.stop(), Some(0));
}
