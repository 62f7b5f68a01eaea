//! Positions of uploads, so that the same command resumes an upload that was stopped.
//!
//! Each upload in progress has one small file below `$XDG_STATE_HOME/vidp/uploads` (`~/.local/state`). Without a home
//! folder nothing is stored.

use super::user_folder::user_folder;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use vidp_contract::hex;

/// The stored position of one upload.
///
/// The file is removed on drop when no upload session has begun.
pub struct UploadPosition {
    /// Locked while this value lives: another process that sends the same file starts a separate upload.
    state: Option<(PathBuf, File)>,
    session: Option<String>,
}

impl UploadPosition {
    /// Opens the position for a file in its current state (path, size, time of change), a server and options.
    pub fn open(server: &str, file: &Path, meta: &Metadata, options: &str) -> UploadPosition {
        let mut hash = Sha256::new();
        let place = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        for part in [server, &place.to_string_lossy(), options] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(meta.len().to_le_bytes());
        hash.update(meta.mtime().to_le_bytes());
        hash.update(meta.mtime_nsec().to_le_bytes());
        let name = hex(&hash.finalize()[..16]);
        let state = folder().and_then(|folder| open_locked(&folder, &name));
        let (state, session) = match state {
            Some((place, mut file)) => {
                let mut path = String::new();
                let _ = file.read_to_string(&mut path);
                (
                    Some((place, file)),
                    Some(path).filter(|path| path.starts_with("/files/")),
                )
            }
            None => (None, None),
        };
        UploadPosition { state, session }
    }

    /// The path of the upload session on the server, if one has begun.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Stores the path of a new upload session, or clears it.
    pub fn store(&mut self, session: Option<&str>) {
        self.session = session.map(str::to_owned);
        if let Some((_, file)) = &mut self.state {
            // When the write fails, the next run only sends the file from its start.
            let _ = file.set_len(0).and_then(|()| file.rewind());
            let _ = file.write_all(session.unwrap_or_default().as_bytes());
        }
    }

    /// Removes the position: the upload is complete.
    pub fn remove(&mut self) {
        if let Some((place, _)) = self.state.take() {
            let _ = fs::remove_file(place);
        }
    }
}

impl Drop for UploadPosition {
    fn drop(&mut self) {
        if self.session.is_none() {
            self.remove();
        }
    }
}

/// `None` when the folder is not writable, or another process holds the lock.
fn open_locked(folder: &Path, name: &str) -> Option<(PathBuf, File)> {
    fs::create_dir_all(folder).ok()?;
    let place = folder.join(name);
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&place)
        .ok()?;
    file.try_lock().ok()?;
    Some((place, file))
}

fn folder() -> Option<PathBuf> {
    Some(user_folder("XDG_STATE_HOME", ".local/state")?.join("vidp/uploads"))
}
