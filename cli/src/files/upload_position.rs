//! Where an upload was, for the same command after it was stopped: one small file for each upload under way, below
//! `$XDG_STATE_HOME/vidp/uploads` (`~/.local/state`). Without such a folder nothing is remembered.

use crate::{config::base_folder, hash::hex};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// One upload's place.
pub struct Resume {
    /// Locked as long as this lives: another process that sends the same file begins an upload of its own.
    state: Option<(PathBuf, File)>,
    path: Option<String>,
}

impl Resume {
    /// Of this file, as it is now, to this server with these options.
    pub fn of(server: &str, file: &Path, meta: &Metadata, options: &str) -> Resume {
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
        let state = folder().and_then(|folder| open(&folder, &name));
        let (state, path) = match state {
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
        Resume { state, path }
    }

    /// The upload's path on the server, if it has begun.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// It is there, or nowhere any more.
    pub fn note(&mut self, path: Option<&str>) {
        self.path = path.map(str::to_owned);
        if let Some((_, file)) = &mut self.state {
            // What cannot be remembered is sent anew, and nothing is worse.
            let _ = file.set_len(0).and_then(|()| file.rewind());
            let _ = file.write_all(path.unwrap_or_default().as_bytes());
        }
    }

    /// All of it is sent.
    pub fn done(&mut self) {
        if let Some((place, _)) = self.state.take() {
            let _ = fs::remove_file(place);
        }
    }
}

/// What never began leaves nothing.
impl Drop for Resume {
    fn drop(&mut self) {
        if self.path.is_none() {
            self.done();
        }
    }
}

fn open(folder: &Path, name: &str) -> Option<(PathBuf, File)> {
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
    Some(base_folder("XDG_STATE_HOME", ".local/state")?.join("vidp/uploads"))
}
