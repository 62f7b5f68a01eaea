//! Confinement of a child program. It reads untrusted media, so that an exploit in it must not reach much.
//!
//! Layers: the empty environment and the process group from its start, resource limits, no capabilities, no new
//! privileges, `files` (Landlock) and `syscalls` (seccomp), the last two if the kernel supports them. The deployment
//! adds a user for the service and a read-only root file system.

use super::{access::Access, files, limits::Limits, syscalls};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use seccompiler::BpfProgram;
use std::{io, os::fd::OwnedFd, path::Path};

/// Maximum number of open files of a child; ffmpeg has about 20.
const MAX_FILES: u64 = 256;

/// The active layers of confinement, for the log.
pub fn layers() -> String {
    let syscalls = match syscalls::supported() {
        true => "seccomp (no processes, no network for files)",
        false => "no seccomp",
    };
    format!(
        "empty environment, resource limits, no capabilities, no new privileges, {syscalls}, {}",
        files::layer()
    )
}

/// The confinement of one child, prepared before the fork: after it, no memory may be allocated.
pub(super) struct Confinement {
    limits: Limits,
    parent: u32,
    rules: Option<OwnedFd>,
    filters: &'static [BpfProgram],
}

impl Confinement {
    /// Prepares the confinement of a child that runs `program`.
    pub(super) fn new(program: &Path, limits: Limits, access: &Access) -> io::Result<Confinement> {
        Ok(Confinement {
            limits,
            parent: std::process::id(),
            rules: files::rules(program, access)?,
            filters: syscalls::filters(access.port.is_some()),
        })
    }

    /// Applies it in the child before the program starts. Calls only async-signal-safe functions.
    pub(super) fn apply(&self) -> io::Result<()> {
        self.limit()?;
        self.bind_to_parent()?;
        let none = CapabilitySet::empty();
        let nothing = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        set_capabilities(None, nothing)?;
        if let Some(rules) = &self.rules {
            files::apply(rules)?;
        }
        for filter in self.filters {
            seccompiler::apply_filter(filter).map_err(|_| io::Error::from_raw_os_error(libc::EACCES))?;
        }
        Ok(())
    }

    fn limit(&self) -> io::Result<()> {
        let set = |resource, soft: u64, hard: u64| {
            let limit = libc::rlimit {
                rlim_cur: soft,
                rlim_max: hard,
            };
            // SAFETY: `limit` is a valid rlimit for the length of the call.
            match unsafe { libc::setrlimit(resource, &limit) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        set(libc::RLIMIT_CORE, 0, 0)?;
        set(libc::RLIMIT_AS, self.limits.memory, self.limits.memory)?;
        set(libc::RLIMIT_FSIZE, self.limits.file_size, self.limits.file_size)?;
        set(libc::RLIMIT_NOFILE, MAX_FILES, MAX_FILES)?;
        let cpu = self.limits.cpu.as_secs().max(1);
        // SIGXCPU at the soft limit, SIGKILL five seconds later for a program that catches it.
        set(libc::RLIMIT_CPU, cpu, cpu + 5)
    }

    fn bind_to_parent(&self) -> io::Result<()> {
        // SAFETY: prctl and getppid take and return plain integers.
        unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0
                || libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the lines above took effect.
            match libc::getppid().cast_unsigned() == self.parent {
                true => Ok(()),
                false => Err(io::Error::from_raw_os_error(libc::ESRCH)),
            }
        }
    }
}
