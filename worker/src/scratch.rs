//! The folder for temporary files. Each process has its own, and locks it, so that others recognise the remains of a killed
//! worker.
//!
//! The lock belongs to the kernel: it also works between containers that share a volume, where process ids do not, and it
//! ends with the process.

use anyhow::{Context, Result};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};
use vidp_contract::Stage;

/// Name of the lock file: in the folder of a process, and in the folder of all, where it guards their creation.
const LOCK: &str = "lock";

/// The folder of this process, and its lock.
pub(super) struct Scratch {
    pub(super) path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Creates and locks `<root>/<stage>-<random>`, and removes such folders whose process has ended.
    ///
    /// A folder without a lock file is left alone.
    ///
    /// # Errors
    /// The folder cannot be written, or its file system has no locks.
    pub(super) fn prepare(root: &Path, stage: Stage) -> Result<Scratch> {
        let prepare = || -> io::Result<Scratch> {
            fs::create_dir_all(root)?;
            // A folder exists for a moment before its lock is taken. No other process cleans up meanwhile.
            let guard = lock_file(root)?;
            guard.lock()?;
            remove_remains(root, &format!("{stage}-"))?;
            let prefix = format!("{stage}-");
            let path = tempfile::Builder::new()
                .prefix(&prefix)
                .rand_bytes(12)
                .tempdir_in(root)?
                .keep();
            let lock = lock_file(&path)?;
            lock.lock()?;
            Ok(Scratch { path, _lock: lock })
        };
        prepare().with_context(|| format!("VIDP_SCRATCH_DIR {}", root.display()))
    }

    /// Removes the folder at the end of its process.
    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "temporary files remain in {}", self.path.display());
        }
    }
}

/// Removes the folders whose name has this prefix and whose lock is free.
fn remove_remains(root: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(root)?.flatten() {
        let is_ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(prefix));
        let path = entry.path();
        if !is_ours || !path.join(LOCK).is_file() {
            continue;
        }
        let lock = lock_file(&path)?;
        match lock.try_lock() {
            Ok(()) => {
                if let Err(error) = fs::remove_dir_all(&path) {
                    tracing::warn!(%error, "cannot remove {}", path.display());
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Opens the lock file of a folder, and creates it if it is missing.
fn lock_file(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader, Write},
        process::{Child, Command, Stdio},
    };

    const ROOT: &str = "VIDP_TEST_SCRATCH";
    const MARK: &str = "folder=";

    /// Another process: prepares its folder, prints its path, and ends when its input closes.
    #[test]
    #[ignore = "the other tests start it as a process"]
    fn other_process() {
        let root = std::env::var(ROOT).expect("only the other tests start this");
        let scratch = Scratch::prepare(Path::new(&root), Stage::Scale).unwrap();
        fs::write(scratch.path.join("encoding"), b"half a film").unwrap();
        // Not by println!, which the test harness captures.
        writeln!(io::stdout(), "\n{MARK}{}", scratch.path.display()).unwrap();
        let _ = io::stdin().read_line(&mut String::new());
    }

    /// Starts the other process by the words before it; returns it with its folder. `None` when it cannot start.
    fn start(root: &Path, before: &[&str]) -> Option<(Child, PathBuf)> {
        let own = std::env::current_exe().unwrap();
        let words = before.iter().map(PathBuf::from).chain([own]).collect::<Vec<_>>();
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .args([
                "scratch::tests::other_process",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(ROOT, root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let folder = lines
            .map_while(Result::ok)
            .find_map(|line| Some(PathBuf::from(line.strip_prefix(MARK)?)));
        match folder {
            Some(folder) => Some((child, folder)),
            None => {
                child.wait().unwrap();
                None
            }
        }
    }

    fn folders(root: &Path) -> usize {
        let entries = fs::read_dir(root).unwrap().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    }

    /// Two workers on one folder: the second harms the first only after its death.
    fn check(before: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        let Some((mut first, folder)) = start(root.path(), before) else {
            assert!(!before.is_empty(), "the process did not start");
            return eprintln!("skipped: this user may not run {before:?}");
        };
        let (mut second, other) = start(root.path(), before).unwrap();
        assert_ne!(folder, other);
        assert!(folder.join("encoding").is_file(), "the second start removed it");
        let own = Scratch::prepare(root.path(), Stage::Scale).unwrap();
        assert!(folder.join("encoding").is_file() && other.join("encoding").is_file());
        own.remove();
        assert_eq!(folders(root.path()), 2);

        // The processes end and leave their folders, as killed ones do.
        for process in [&mut first, &mut second] {
            drop(process.stdin.take());
            process.wait().unwrap();
        }
        // The other stages' workers and the folders of other programs are left alone.
        let detect = Scratch::prepare(root.path(), Stage::Detect).unwrap();
        fs::create_dir(root.path().join("scale-17")).unwrap();
        assert!(folder.exists() && other.exists());
        let own = Scratch::prepare(root.path(), Stage::Scale).unwrap();
        assert!(!folder.exists() && !other.exists());
        assert_eq!(folders(root.path()), 3);
        assert!(own.path.exists() && detect.path.exists());
    }

    #[test]
    fn a_process_removes_no_folder_of_a_running_one() {
        check(&[]);
    }

    /// As in two containers with one volume: every worker is process 1.
    #[test]
    fn a_container_removes_no_folder_of_another_one() {
        check(&[
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--map-root-user",
        ]);
    }
}
