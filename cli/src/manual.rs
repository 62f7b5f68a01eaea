//! `vidp completions` and `vidp man`: what shells and `man` read, made from the options themselves.

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use std::{fs, io::stdout, path::PathBuf};

#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Folder to write them to, for example ~/.local/share/man/man1
    dir: PathBuf,
}

/// Runs `vidp completions`.
pub fn completions(completions: &Completions, mut command: Command) {
    clap_complete::generate(completions.shell, &mut command, "vidp", &mut stdout());
}

/// Runs `vidp man`.
pub fn man(man: &Man, command: Command) -> Result<()> {
    let context = || format!("write manual pages to {}", man.dir.display());
    fs::create_dir_all(&man.dir).with_context(context)?;
    clap_mangen::generate_to(command, &man.dir).with_context(context)
}
