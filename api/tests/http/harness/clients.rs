//! Third-party programs as clients of the API.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

/// The path of a file in `tests/clients`.
pub(crate) fn clients(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

/// Python in one of the environments that `scripts/setup.py --checks` installs.
pub(crate) fn python(environment: &str) -> tokio::process::Command {
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.engines");
    let mut command = tokio::process::Command::new(engines.join(environment).join("bin/python"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Node.js running a script with the packages of `scripts/npm`.
pub(crate) fn node(script: PathBuf) -> tokio::process::Command {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.engines/npm/node_modules");
    let mut command = tokio::process::Command::new("node");
    command
        .arg(script)
        .env("NODE_PATH", packages)
        .stdin(Stdio::null());
    command
}
