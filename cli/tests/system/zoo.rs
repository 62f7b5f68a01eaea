//! Files as people really have them: the fast third of `make zoo`.

use crate::stack::shared;
use std::path::Path;

#[test]
fn files_as_people_have_them_get_the_right_answers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let done = std::process::Command::new(root.join(".engines/web-venv/bin/python"))
        .arg(root.join("scripts/zoo.py"))
        .args(["--quick", "--url", &shared().url])
        .output()
        .unwrap();
    let (output, errors) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    println!("{output}");
    assert!(done.status.success(), "{output}{errors}");
}
