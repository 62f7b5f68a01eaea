//! The user's browser.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

/// Program that opens an address in the browser.
pub const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Opens an address, and does not wait for the browser.
///
/// # Errors
///
/// [`OPENER`] cannot be started.
pub fn open(address: &str) -> io::Result<()> {
    Command::new(OPENER)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A browser that this starts must survive Ctrl-C in the terminal.
        .process_group(0)
        .spawn()
        .map(drop)
}
