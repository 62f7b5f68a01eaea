//! A worker whose ffprobe was taken over. `common/tests/confined` has the single attempts and their walls.

use crate::{
    media::sample,
    stack::{Stack, up},
};
use serde_json::json;
use std::{fs, path::Path};

#[tokio::test]
async fn a_worker_gives_a_program_that_was_taken_over_its_own_source_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = up(&data, 0);
    let intruder = Path::new(env!("CARGO_BIN_EXE_vidp")).with_file_name("vidp-intruder");
    assert!(
        intruder.is_file(),
        "`cargo build --workspace` makes {}",
        intruder.display()
    );
    command.arg("--subtitle-workers=0").env("VIDP_FFPROBE", intruder);
    let stack = Stack::start_as(&data, command);
    let job = stack
        .run(&sample("clip.mp4"), &json!({ "stages": ["detect", "scale"] }))
        .await;
    assert_eq!(job["status"], "failed", "{job:#}");
    for (worker, source) in [("detect-1", "own source by http"), ("scale-1", "own source")] {
        let log = fs::read_to_string(data.join(format!("logs/{worker}.log"))).unwrap();
        let reached: Vec<_> = log
            .lines()
            .filter_map(|line| line.split_once("reached: "))
            .collect();
        assert!(!reached.is_empty(), "{log}");
        for (_, reached) in reached {
            let reached: Vec<_> = reached.trim_end_matches(['"', '\n']).split(", ").collect();
            let mut expected = vec!["library", "thread", source];
            expected.retain(|what| !reached.contains(what));
            assert!(expected.is_empty() && reached.len() == 3, "{worker}: {reached:?}");
        }
        assert!(log.contains("Landlock"), "the layers are logged: {log}");
    }
    assert_eq!(stack.stop(), Some(0));
}
