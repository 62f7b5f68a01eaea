//! Tests in Debian's Chromium, by the scripts of `scripts/`.

mod page;
mod players;

use std::{ffi::OsString, path::Path, process::Command};

/// Runs a script with these arguments. It must succeed. Returns its output.
fn run(script: &str, arguments: &[OsString]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut test = Command::new(root.join(".engines/web-venv/bin/python"));
    let done = test
        .arg(root.join("scripts").join(script))
        .args(arguments)
        .output()
        .unwrap();
    let (output, errors) = (
        String::from_utf8_lossy(&done.stdout).into_owned(),
        String::from_utf8_lossy(&done.stderr),
    );
    println!("{output}");
    assert!(done.status.success(), "{output}{errors}");
    output
}
