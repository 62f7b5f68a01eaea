use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// `<data dir>/up.json`: the running processes and their addresses, for tools and tests. It exists while the system is
/// ready.
#[derive(Serialize)]
pub(super) struct State {
    /// The API's address.
    pub(super) url: String,
    /// Process id of `vidp up`.
    pub(super) pid: u32,
    /// Absolute path of the data folder.
    pub(super) data_dir: PathBuf,
    /// Addresses and credentials, by the names of their environment variables.
    pub(super) environment: serde_json::Map<String, serde_json::Value>,
    /// The engines that `vidp up` started.
    pub(super) engines: Vec<EngineState>,
    /// The API and the workers.
    pub(super) services: Vec<ServiceState>,
}

/// A running engine.
#[derive(Serialize)]
pub(super) struct EngineState {
    /// `nats`, `mongodb` or `s3`.
    pub(super) name: &'static str,
    /// Process id.
    pub(super) pid: u32,
    /// Path of the log file.
    pub(super) log: PathBuf,
}

/// A running service.
#[derive(Serialize)]
pub(super) struct ServiceState {
    /// `api`, `detect-1`, `scale-1`, `subtitle-1` …
    pub(super) name: String,
    /// Process id.
    pub(super) pid: u32,
    /// Base address of `/health` and `/ready`.
    pub(super) url: String,
    /// URL of the metrics.
    pub(super) metrics: String,
    /// Path of the log file.
    pub(super) log: PathBuf,
}

impl State {
    /// Writes the file and renames it into place. Only the owner can read it, because it has credentials.
    pub(super) fn write(&self) -> Result<()> {
        let part = self.data_dir.join("up.json.part");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        Ok(fs::rename(part, path(&self.data_dir))?)
    }
}

/// Removes the file.
pub(super) fn remove(data_dir: &Path) {
    // The file does not exist before the system is ready.
    let _ = fs::remove_file(path(data_dir));
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("up.json")
}

/// Locks the data folder for this process. The lock is released when the file is dropped or the process ends.
pub(super) fn lock(data_dir: &Path) -> Result<File> {
    let file = File::create(data_dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another `vidp up` is using the data folder {}",
                data_dir.display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).context("lock the data folder"),
    }
}
