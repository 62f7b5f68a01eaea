//! The web page: runs the steps of `scripts/web_test` on the whole system.

use super::run;
use crate::stack::Stack;
use std::path::Path;

#[test]
fn the_web_page_works_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(&folder.path().join("data"));
    let mut arguments = vec!["--url".into(), stack.url.clone().into()];
    // For the pictures in the documents: VIDP_SCREENSHOTS=docs/images.
    if let Some(folder) = std::env::var_os("VIDP_SCREENSHOTS") {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        arguments.extend(["--screenshots".into(), root.join(folder).into()]);
    }
    run("web_test/run.py", &arguments);
    assert_eq!(stack.stop(), Some(0));
}
