//! Streams in hls.js, shaka-player and dash.js: runs `scripts/players` on the whole system.

use super::run;
use crate::stack::{Stack, up};

#[test]
fn players_play_streams() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = up(&data, 0);
    command.env("VIDP_LOG_FILTER", "debug");
    let stack = Stack::start_as(&data, command);
    // The other kinds of video take some minutes: VIDP_PLAYERS="" plays all.
    let only = std::env::var_os("VIDP_PLAYERS").unwrap_or_else(|| "speech".into());
    let url = stack.url.clone().into();
    let output = run("players/run.py", &["--url".into(), url, "--only".into(), only]);
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
