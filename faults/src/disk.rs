//! Separate small file systems for the broker, the bucket and the scratch folders: ext4 images on loop devices.
//!
//! A fault can fill them, or copy one in the state that a power cut leaves. They need root.

use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Command,
};

/// Gives this process private mounts, which the kernel removes when it ends.
///
/// Call it while the process has one thread: later threads and children share the mounts.
///
/// # Errors
/// The process lacks the rights: it needs root.
pub fn private_mounts() -> Result<()> {
    // SAFETY: a system call without pointers, which affects only this process.
    let done = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    ensure!(done == 0, "{}", std::io::Error::last_os_error());
    // Otherwise these mounts would appear in the parent's namespace.
    run(Command::new("mount").args(["--make-rprivate", "/"]))
}

/// An ext4 file system that is mounted until it is dropped.
pub struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// Creates a file system of `bytes` in a sparse file beside `at`, and mounts it at `at`.
    pub fn create(at: &Path, bytes: u64) -> Result<Disk> {
        let image = at.with_extension("img");
        File::create(&image)?.set_len(bytes)?;
        // `-m 0` reserves no blocks for root, which this process runs as.
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))?;
        let disk = Disk {
            image,
            at: at.to_owned(),
        };
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<()> {
        fs::create_dir_all(&self.at)?;
        run(Command::new("mount")
            .args(["-t", "ext4", "-o", "loop"])
            .args([&self.image, &self.at]))
    }

    fn unmount(&self) -> Result<()> {
        run(Command::new("umount").arg("--lazy").arg(&self.at))
    }

    /// Uses up all free space.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())?;
        let mut size = 64 << 20;
        while size >= 4096 {
            let end = libc::off_t::try_from(ballast.metadata()?.len())?;
            // SAFETY: the descriptor is open; the call only reserves blocks.
            match unsafe { libc::posix_fallocate(ballast.as_raw_fd(), end, size) } {
                0 => {}
                libc::ENOSPC => size /= 2,
                error => bail!("{}", std::io::Error::from_raw_os_error(error)),
            }
        }
        // Less than 4096 bytes are left to reserve; small writes use up the rest.
        while ballast.write_all(&[0; 512]).is_ok() {}
        Ok(())
    }

    /// Makes the space free again.
    pub fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// Reduces the disk to the state that a power cut at this moment leaves.
    ///
    /// It keeps the data that the file system has sent to the device and loses the data that is only in the kernel's
    /// memory. All processes that wrote to the disk must have ended.
    pub fn cut_power(&self) -> Result<()> {
        let cut = self.image.with_extension("cut");
        run(Command::new("cp")
            .arg("--sparse=always")
            .args([&self.image, &cut]))?;
        self.unmount()?;
        // The old loop device may continue to write to its file, which the rename below unlinks.
        fs::rename(&cut, &self.image)?;
        self.mount()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.unmount();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let done = command
        .output()
        .with_context(|| format!("{}", command.get_program().display()))?;
    ensure!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}
