//! Small disks of their own for the broker, the bucket and the scratch folders: ext4 in an image on a loop device, so
//! that they can be full, and be copied as a power cut leaves them. Needs root.

use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Command,
};

/// Gives this process private mounts, which end with it.
///
/// Call it while the process has one thread: later threads and children share the mounts.
///
/// # Errors
/// The process lacks the rights: it needs root.
pub fn private_mounts() -> Result<()> {
    // SAFETY: plain system calls on this process alone.
    let done = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    ensure!(done == 0, "{}", std::io::Error::last_os_error());
    // Else what is mounted here would show in the parent's tree.
    run(Command::new("mount").args(["--make-rprivate", "/"]))
}

/// An ext4 file system that is mounted until it is dropped.
pub struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// Makes one of `bytes`, in a sparse file beside `at`, and mounts it there.
    pub fn make(at: &Path, bytes: u64) -> Result<Disk> {
        let image = at.with_extension("img");
        File::create(&image)?.set_len(bytes)?;
        // No blocks are kept back for root, who this is.
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

    /// Takes every free byte.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())?;
        let mut size = 64 << 20;
        while size >= 4096 {
            let end = libc::off_t::try_from(ballast.metadata()?.len())?;
            // SAFETY: reserves blocks for a file that is open.
            match unsafe { libc::posix_fallocate(ballast.as_raw_fd(), end, size) } {
                0 => {}
                libc::ENOSPC => size /= 2,
                error => bail!("{}", std::io::Error::from_raw_os_error(error)),
            }
        }
        // What is left is less than a block of the largest file that could still grow.
        while ballast.write_all(&[0; 512]).is_ok() {}
        Ok(())
    }

    /// There is room again.
    pub fn free(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// From now on the disk holds what a power cut at this moment leaves: what the file system has sent to the device,
    /// and nothing that only lies in the kernel's memory. All processes that wrote to it must have ended.
    pub fn cut_power(&self) -> Result<()> {
        let left = self.image.with_extension("cut");
        run(Command::new("cp")
            .arg("--sparse=always")
            .args([&self.image, &left]))?;
        self.unmount()?;
        // The old device may write on to its file, which has no name any more.
        fs::rename(&left, &self.image)?;
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
