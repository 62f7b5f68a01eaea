//! Folders of the XDG Base Directory Specification.

use std::{env, path::PathBuf};

/// Returns the folder that `variable` names, for example `XDG_STATE_HOME`, or `below_home` in the home folder.
///
/// A relative path in the variable is ignored, as the specification says.
pub fn user_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let xdg = env::var_os(variable).map(PathBuf::from);
    xdg.filter(|folder| folder.is_absolute())
        .or_else(|| Some(env::home_dir()?.join(below_home)))
}
