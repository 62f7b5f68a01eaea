//! `vidp completions` and `vidp man`, generated from the command line's definition.

use crate::ui::output;
use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use std::{fs, path::PathBuf};

/// Arguments of `vidp completions`.
#[derive(Args)]
pub struct Completions {
    /// Shell to write the script for
    shell: Shell,
}

/// Arguments of `vidp man`.
#[derive(Args)]
pub struct Man {
    /// Folder to write the pages to, for example ~/.local/share/man/man1
    dir: PathBuf,
}

/// Runs `vidp completions`.
pub fn completions(completions: &Completions, mut command: Command) {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command, "vidp", &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end());
}

/// Runs `vidp man`.
pub fn man(man: &Man, command: Command) -> Result<()> {
    let context = || format!("write manual pages to {}", man.dir.display());
    fs::create_dir_all(&man.dir).with_context(context)?;
    clap_mangen::generate_to(command, &man.dir).with_context(context)
}
