//! `<data dir>/up.json`: what runs and where, for tools and tests. There while the system is ready.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The whole file.
#[derive(Serialize)]
pub struct State {
    /// The API's address.
    pub url: String,
    /// The process of `vidp up`.
    pub pid: u32,
    pub data_dir: PathBuf,
    /// Addresses and credentials, by the names of the environment variables that hold them.
    pub environment: serde_json::Map<String, serde_json::Value>,
    /// Those started here.
    pub engines: Vec<EngineState>,
    /// The API and the workers.
    pub services: Vec<ServiceState>,
}

#[derive(Serialize)]
pub struct EngineState {
    pub name: &'static str,
    pub pid: u32,
    pub log: PathBuf,
}

#[derive(Serialize)]
pub struct ServiceState {
    /// `api`, `detect-1`, `scale-1`, `subtitle-1` …
    pub name: String,
    pub pid: u32,
    /// Where it serves `/health`, `/ready` and `/metrics`.
    pub url: String,
    pub log: PathBuf,
}

impl State {
    /// Puts it in place at once. It holds credentials: only the owner may read it.
    pub fn write(&self) -> Result<()> {
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
pub fn remove(data_dir: &Path) {
    // It is not there before the system is ready.
    let _ = fs::remove_file(path(data_dir));
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("up.json")
}

/// Holds the folder for this process; released when the file is dropped, or by the kernel.
pub fn lock(data_dir: &Path) -> Result<File> {
    let file = File::create(data_dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another `vidp up` runs with the data folder {}",
                data_dir.display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).context("lock the data folder"),
    }
}
