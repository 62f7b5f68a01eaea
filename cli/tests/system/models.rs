//! Speech models: imported, listed, and used.

use crate::{
    media::sample,
    stack::{Stack, up, vidp},
};
use axum::Router;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};
use vidp_engines::find_model;

fn model(args: &[&str], paths: &[&Path]) -> Output {
    vidp().arg("model").args(args).args(paths).output().unwrap()
}

fn document(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn own_model() -> PathBuf {
    find_model("ggml-base-q8_0.bin").unwrap()
}

#[tokio::test]
async fn an_imported_file_is_the_model_of_a_system() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let args = ["import", "--json", "--name", "mine"];
    let imported = document(&model(&args, &[&own_model(), Path::new("--out"), &models]));
    let path = models.join("ggml-mine.bin");
    assert_eq!(
        (&imported["name"], &imported["path"], &imported["model"]["size"]),
        (&json!("mine"), &json!(path), &json!("base"))
    );
    let listed = document(&model(&["list", "--json"], &[&models]));
    assert_eq!(listed["model"], imported["model"]);

    let data = folder.path().join("data");
    let mut command = up(&data, 0);
    command.args(["--json", "--scale-workers=0", "--subtitle-workers=0", "--model"]);
    command.arg(&path);
    let stack = Stack::start_as(&data, command);
    let worker = fs::read_to_string(data.join("logs/detect-1.log")).unwrap();
    assert!(worker.contains(&format!("model={}", path.display())), "{worker}");
    let job = stack
        .run(&sample("speech/es.ogg"), &json!({ "stages": ["detect"] }))
        .await;
    assert_eq!(job["stages"]["detect"]["result"]["language"]["code"], "es");
    // Standard output has only this document; the log has standard error too.
    let log = fs::read_to_string(data.join("up.log")).unwrap();
    let ready: Value = log
        .lines()
        .find_map(|line| serde_json::from_str(line).ok())
        .unwrap();
    assert_eq!(ready["url"], stack.url);
    assert_eq!(stack.stop(), Some(0));
}

#[test]
fn a_folder_of_faster_whisper_becomes_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("faster-whisper-base");
    fs::create_dir(&theirs).unwrap();
    let weights = own_model().parent().unwrap().with_file_name("weights");
    let read = |name: &str| fs::read(weights.join(name)).unwrap();
    fs::write(
        theirs.join("model.bin"),
        [read("model.bin.part1"), read("model.bin.part2")].concat(),
    )
    .unwrap();
    let vocabulary = String::from_utf8(read("vocabulary.txt")).unwrap();
    let tokens: Vec<&str> = vocabulary.split('\n').collect();
    fs::write(theirs.join("vocabulary.json"), json!(tokens).to_string()).unwrap();
    let models = folder.path().join("models");
    let imported = document(&model(
        &["import", "--json"],
        &[&theirs, Path::new("--out"), &models],
    ));
    assert_eq!(imported["name"], "base-q8_0");
    assert!(fs::read(models.join("ggml-base-q8_0.bin")).unwrap() == fs::read(own_model()).unwrap());
}

#[tokio::test]
async fn other_files_are_not_imported() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mirror = format!("http://{}", listener.local_addr().unwrap());
    let pages = Router::new().fallback(async || "<html>Please log in</html>");
    tokio::spawn(async { axum::serve(listener, pages).await });

    let args = ["model", "fetch", "tiny", "--from", &mirror, "--out"];
    let mut fetch = vidp();
    fetch.args(args).arg(&models);
    let fetched = tokio::task::spawn_blocking(move || fetch.output().unwrap())
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&fetched.stderr);
    assert!(
        !fetched.status.success() && errors.contains("not the file"),
        "{errors}"
    );
    assert_eq!(fs::read_dir(&models).unwrap().count(), 0);

    let imported = model(&["import"], &[&sample("clip.mp4"), Path::new("--out"), &models]);
    let errors = String::from_utf8_lossy(&imported.stderr);
    assert!(
        !imported.status.success() && errors.contains("not a ggml model"),
        "{errors}"
    );

    let unknown = model(&["fetch", "huge"], &[]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("large-v3-turbo"));
}
