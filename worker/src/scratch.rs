//! The folder for temporary files. Each process has its own, so that the remains of a killed worker can be identified.

use anyhow::{Context, Result};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use vidp_contract::Stage;

/// Creates `<root>/<stage>-<pid>` and removes the folders of processes that ended.
pub(super) fn prepare(root: &Path, stage: Stage) -> Result<PathBuf> {
    let prepare = || -> io::Result<PathBuf> {
        fs::create_dir_all(root)?;
        for entry in fs::read_dir(root)?.flatten() {
            let name = entry.file_name();
            let owner = name
                .to_str()
                .and_then(|name| name.strip_prefix(&format!("{stage}-"))?.parse().ok());
            if owner.is_some_and(|pid: u32| {
                pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).exists()
            }) {
                // Another worker that starts now may remove it at the same time.
                if let Err(error) = fs::remove_dir_all(entry.path()) {
                    tracing::warn!(%error, "cannot remove {}", entry.path().display());
                }
            }
        }
        let own = root.join(format!("{stage}-{}", std::process::id()));
        fs::create_dir_all(&own)?;
        Ok(own)
    };
    prepare().with_context(|| format!("VIDP_SCRATCH_DIR {}", root.display()))
}

/// Removes the folder of this process at its end.
pub(super) fn remove(own: &Path) {
    if let Err(error) = fs::remove_dir_all(own) {
        tracing::warn!(%error, "temporary files remain in {}", own.display());
    }
}
