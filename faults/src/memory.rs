//! A memory limit for a set of processes: a control group, like that of a pod. Needs root.
//!
//! The kernel kills a process of the group when the group exceeds its limit.

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A control group of the version that the kernel has (1 or 2); removed when it is dropped.
pub struct MemoryLimit {
    folder: PathBuf,
    parent: PathBuf,
}

impl MemoryLimit {
    /// Creates a group limited to `bytes` of memory, without swap.
    pub fn new(name: &str, bytes: u64) -> Result<MemoryLimit> {
        let root = Path::new("/sys/fs/cgroup");
        let unified = root.join("cgroup.controllers").exists();
        let parent = if unified {
            root.to_owned()
        } else {
            root.join("memory")
        };
        let folder = parent.join(format!("vidp-{}-{name}", std::process::id()));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let group = MemoryLimit { folder, parent };
        let limit = bytes.to_string();
        if unified {
            group.write("memory.max", &limit)?;
            // The file does not exist when the kernel has no swap.
            let _ = group.write("memory.swap.max", "0");
        } else {
            group.write("memory.limit_in_bytes", &limit)?;
            let _ = group.write("memory.memsw.limit_in_bytes", &limit);
        }
        Ok(group)
    }

    /// Moves a process into the group; its future children belong to the group too.
    pub fn add(&self, pid: u32) -> Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Number of processes of the group that the kernel has killed.
    pub fn kills(&self) -> u64 {
        ["memory.events", "memory.oom_control"]
            .iter()
            .filter_map(|file| fs::read_to_string(self.folder.join(file)).ok())
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
            .unwrap_or(0)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {text} to {}", path.display()))
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // The kernel does not remove a group that has processes.
        let inside = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        for pid in inside.lines() {
            let _ = fs::write(self.parent.join("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}
