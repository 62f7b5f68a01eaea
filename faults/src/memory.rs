//! A limit on the memory of some processes together, beyond which the kernel kills one of them: a control group, as a
//! pod has one. Needs root.

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A control group of version 1 or 2, whichever the kernel has; removed when it is dropped.
pub struct Memory {
    folder: PathBuf,
    parent: PathBuf,
}

impl Memory {
    /// Makes a group limited to `bytes`, without swap.
    pub fn limit(name: &str, bytes: u64) -> Result<Memory> {
        let root = Path::new("/sys/fs/cgroup");
        let unified = root.join("cgroup.controllers").exists();
        let parent = if unified {
            root.to_owned()
        } else {
            root.join("memory")
        };
        let folder = parent.join(format!("vidp-{}-{name}", std::process::id()));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let group = Memory { folder, parent };
        let limit = bytes.to_string();
        if unified {
            group.write("memory.max", &limit)?;
            // Not there when the kernel has no swap.
            let _ = group.write("memory.swap.max", "0");
        } else {
            group.write("memory.limit_in_bytes", &limit)?;
            let _ = group.write("memory.memsw.limit_in_bytes", &limit);
        }
        Ok(group)
    }

    /// Takes a process in, and the children that it will have.
    pub fn take(&self, pid: u32) -> Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// How many processes the kernel has killed in it.
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
        fs::write(&path, text).with_context(|| format!("{} into {}", text, path.display()))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // A group that has processes cannot be removed.
        let inside = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        for pid in inside.lines() {
            let _ = fs::write(self.parent.join("cgroup.procs"), pid);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}
