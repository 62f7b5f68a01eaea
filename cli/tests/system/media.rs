//! Files made by ffmpeg for the tests, and probes of results by ffprobe.

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The path of a sample in the repository.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../samples")
        .join(name)
}

/// Runs ffmpeg with these arguments, split at spaces, and returns the path of the file.
pub(crate) fn make(folder: &Path, name: &str, args: &str) -> PathBuf {
    let path = folder.join(name);
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(args.split(' '))
        .arg(&path)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    path
}

/// Probes a file with ffprobe.
pub(crate) fn probe(path: &Path) -> Value {
    let done = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-print_format",
            "json",
            "-show_format",
            "-show_streams",
        ])
        .arg(path)
        .output()
        .unwrap();
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The duration in seconds, from the answer of [`probe`].
pub(crate) fn duration(probe: &Value) -> f64 {
    probe["format"]["duration"].as_str().unwrap().parse().unwrap()
}

/// The words of a text, without punctuation and case.
pub(crate) fn words(text: &str) -> Vec<String> {
    let letters = |word: &str| {
        word.chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
            .to_lowercase()
    };
    text.split_whitespace()
        .map(letters)
        .filter(|word| !word.is_empty())
        .collect()
}

/// Word error rate: edits divided by the number of spoken words (Levenshtein distance on words).
pub(crate) fn word_errors(said: &str, heard: &str) -> f64 {
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in heard.iter().enumerate() {
            let best = (diagonal + usize::from(word != other))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[heard.len()] as f64 / said.len() as f64
}
