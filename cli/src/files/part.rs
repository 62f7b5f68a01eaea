//! Names of incomplete files.

use std::path::{Path, PathBuf};

/// The name of a file while it is incomplete: `<path>.part`, to be renamed at the end.
pub fn part_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
