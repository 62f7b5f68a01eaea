//! The web page in Debian's Chromium: runs the steps of `scripts/web_test` on the whole system.

use crate::stack::Stack;
use std::path::Path;

#[test]
fn the_web_page_works_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(&folder.path().join("data"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut test = std::process::Command::new(root.join(".engines/web-venv/bin/python"));
    test.arg(root.join("scripts/web_test/run.py"))
        .args(["--url", &stack.url]);
    // For the pictures in the documents: VIDP_SCREENSHOTS=docs/images.
    if let Some(folder) = std::env::var_os("VIDP_SCREENSHOTS") {
        test.arg("--screenshots").arg(root.join(folder));
    }
    let done = test.output().unwrap();
    let (output, errors) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    println!("{output}");
    assert!(done.status.success(), "{output}{errors}");
    assert_eq!(stack.stop(), Some(0));
}
