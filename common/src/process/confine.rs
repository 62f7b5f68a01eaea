//! Confinement of a child program. It reads untrusted media, so that an exploit in it must not reach much.
//!
//! Layers: the empty environment and the process group from its start, resource limits, no new privileges, and a
//! seccomp filter if the kernel supports it. The deployment adds a user for the service, a read-only root file system
//! and no capabilities.

use super::limits::Limits;
use anyhow::Result;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::{collections::BTreeMap, io, sync::LazyLock};

/// System calls that neither ffmpeg nor ffprobe makes: inspecting other processes, loading code into the kernel, leaving or
/// entering namespaces, and `io_uring`, which opens sockets past this filter.
const NEVER: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
];
/// System calls of the x32 interface have this bit besides the number (`__X32_SYSCALL_BIT` of Linux's asm/unistd.h).
#[cfg(target_arch = "x86_64")]
const OTHER_NUMBERS: &[i64] = &[0, 0x4000_0000];
#[cfg(not(target_arch = "x86_64"))]
const OTHER_NUMBERS: &[i64] = &[0];
/// Maximum number of open files of a child; ffmpeg has about 20.
const MAX_FILES: u64 = 256;

/// The filters for children with and without network access; `None` when the kernel has no seccomp.
static FILTERS: LazyLock<Option<[BpfProgram; 2]>> = LazyLock::new(|| {
    // SAFETY: this prctl only reads, and its arguments are plain integers.
    let supported = unsafe { libc::prctl(libc::PR_GET_SECCOMP) } >= 0;
    let filters = || Ok([filter(NEVER, &[])?, filter(NEVER, &[libc::SYS_socket])?]);
    match supported.then(filters).transpose() {
        Ok(filters) => filters,
        Err::<_, anyhow::Error>(error) => {
            tracing::warn!(%error, "child programs run without a seccomp filter");
            None
        }
    }
});

/// The active layers of confinement, for the log.
pub fn layers() -> &'static str {
    match FILTERS.is_some() {
        true => "empty environment, resource limits, no new privileges, seccomp (no network for files)",
        false => "empty environment, resource limits, no new privileges; this kernel has no seccomp",
    }
}

/// The filter for a child. Call it before the fork: the first call builds the filters and allocates memory.
pub(super) fn filter_for(limits: &Limits) -> Option<&'static BpfProgram> {
    let [with_network, without] = FILTERS.as_ref()?;
    Some(if limits.network { with_network } else { without })
}

/// Builds a filter: EPERM for the calls `never`, and for the calls `sockets` except for Unix sockets.
fn filter(never: &[i64], sockets: &[i64]) -> Result<BpfProgram> {
    let foreign = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, libc::AF_UNIX as u64)?;
    let mut rules = BTreeMap::new();
    for other in OTHER_NUMBERS {
        for call in never {
            rules.insert(call | other, Vec::new());
        }
        for call in sockets {
            rules.insert(call | other, vec![SeccompRule::new(vec![foreign.clone()])?]);
        }
    }
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}

/// Applies the limits and the filter in the child before the program starts. Calls only async-signal-safe functions.
pub(super) fn confine(limits: Limits, filter: Option<&BpfProgram>, parent: u32) -> io::Result<()> {
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
    set(libc::RLIMIT_AS, limits.memory, limits.memory)?;
    set(libc::RLIMIT_FSIZE, limits.file_size, limits.file_size)?;
    set(libc::RLIMIT_NOFILE, MAX_FILES, MAX_FILES)?;
    let cpu = limits.cpu.as_secs().max(1);
    // SIGXCPU at the soft limit, SIGKILL five seconds later for a program that catches it.
    set(libc::RLIMIT_CPU, cpu, cpu + 5)?;
    // SAFETY: prctl and getppid take and return plain integers.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0
            || libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        {
            return Err(io::Error::last_os_error());
        }
        // The parent may have died before the line above took effect.
        if libc::getppid().cast_unsigned() != parent {
            return Err(io::Error::other("the parent process ended"));
        }
    }
    match filter {
        Some(filter) => {
            seccompiler::apply_filter(filter).map_err(|_| io::Error::from_raw_os_error(libc::EACCES))
        }
        None => Ok(()),
    }
}
