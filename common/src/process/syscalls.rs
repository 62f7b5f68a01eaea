//! The system calls of a child program: seccomp refuses those that neither ffmpeg nor ffprobe needs.

use anyhow::Result;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::{collections::BTreeMap, sync::LazyLock};

/// System calls that are refused with EPERM for all arguments.
const NEVER: &[i64] = &[
    // Leaving the process group, which is killed with the job. `clone` has a separate rule.
    libc::SYS_setsid,
    libc::SYS_setpgid,
    // Other processes: their memory, files, signals and events.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Memory and queues that processes of one user share by number.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_mq_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Namespaces, mounts, and files by handle instead of by path.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // Names in the task's folder that lead outside: the worker would read them as outputs.
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_mknodat,
    // Interfaces with many faults of the kernel in the past. `io_uring` also opens sockets past this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_fanotify_init,
    libc::SYS_personality,
    // The machine itself. All of these need rights that a child lacks anyway.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];
/// Older forms of the calls above, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const NEVER_OLD: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_symlink,
    libc::SYS_link,
    libc::SYS_mknod,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_OLD: &[i64] = &[];
/// System calls of the x32 interface have this bit besides the number (`__X32_SYSCALL_BIT` of Linux's asm/unistd.h).
#[cfg(target_arch = "x86_64")]
const OTHER_NUMBERS: &[i64] = &[0, 0x4000_0000];
#[cfg(not(target_arch = "x86_64"))]
const OTHER_NUMBERS: &[i64] = &[0];

/// The rules of a filter: a call matches when one of its rules does, or when it has none.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filters of the two kinds of children.
struct Filters {
    without_sockets: [BpfProgram; 2],
    with_connections: [BpfProgram; 2],
}

/// `None` when the kernel has no seccomp.
static FILTERS: LazyLock<Option<Filters>> = LazyLock::new(|| {
    // SAFETY: this prctl only reads, and its arguments are plain integers.
    let supported = unsafe { libc::prctl(libc::PR_GET_SECCOMP) } >= 0;
    match supported.then(build).transpose() {
        Ok(filters) => filters,
        Err(error) => {
            tracing::warn!(%error, "child programs run without a seccomp filter");
            None
        }
    }
});

/// True when the kernel filters system calls.
pub(super) fn supported() -> bool {
    FILTERS.is_some()
}

/// The filters for a child, to be applied in this order. Call it before the fork: the first call allocates memory.
pub(super) fn filters(connects: bool) -> &'static [BpfProgram] {
    match &*FILTERS {
        Some(filters) if connects => &filters.with_connections,
        Some(filters) => &filters.without_sockets,
        None => &[],
    }
}

fn build() -> Result<Filters> {
    // The C library falls back to `clone`, whose flags a filter can read.
    let no_clone3 = program(on_every_interface([(libc::SYS_clone3, vec![])]), libc::ENOSYS)?;
    let filter = |sockets: Vec<SeccompRule>| -> Result<[BpfProgram; 2]> {
        let mut rules = for_all()?;
        rules.extend(on_every_interface([
            (libc::SYS_socket, sockets),
            (libc::SYS_socketpair, vec![]),
        ]));
        Ok([no_clone3.clone(), program(rules, libc::EPERM)?])
    };
    Ok(Filters {
        without_sockets: filter(vec![])?,
        with_connections: filter(all_but_tcp()?)?,
    })
}

/// The rules of every child.
fn for_all() -> Result<Rules> {
    let always = NEVER.iter().chain(NEVER_OLD).map(|call| (*call, vec![]));
    let mut rules = on_every_interface(always);
    let no_thread = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(libc::CLONE_THREAD as u64),
        0,
    )?;
    rules.extend(on_every_interface([
        (libc::SYS_clone, vec![SeccompRule::new(vec![no_thread])?]),
        // The child would outlive a worker that is killed.
        (
            libc::SYS_prctl,
            vec![all_of(&[(0, SeccompCmpOp::Eq, libc::PR_SET_PDEATHSIG as u64)])?],
        ),
        // The limits of other processes.
        (libc::SYS_prlimit64, vec![all_of(&[(0, SeccompCmpOp::Ne, 0)])?]),
        // Input into the terminal of the developer who started the worker.
        (
            libc::SYS_ioctl,
            vec![
                all_of(&[(1, SeccompCmpOp::Eq, libc::TIOCSTI)])?,
                all_of(&[(1, SeccompCmpOp::Eq, libc::TIOCLINUX)])?,
            ],
        ),
    ]));
    Ok(rules)
}

/// Rules for `socket` that match everything but TCP over IPv4, the only protocol whose ports Landlock limits.
fn all_but_tcp() -> Result<Vec<SeccompRule>> {
    let stream = libc::SOCK_STREAM as u64;
    let (close, nonblocking) = (libc::SOCK_CLOEXEC as u64, libc::SOCK_NONBLOCK as u64);
    let is_not = |value| (1, SeccompCmpOp::Ne, value);
    Ok(vec![
        all_of(&[(0, SeccompCmpOp::Ne, libc::AF_INET as u64)])?,
        all_of(&[
            is_not(stream),
            is_not(stream | close),
            is_not(stream | nonblocking),
            is_not(stream | close | nonblocking),
        ])?,
        all_of(&[
            (2, SeccompCmpOp::Ne, 0),
            (2, SeccompCmpOp::Ne, libc::IPPROTO_TCP as u64),
        ])?,
    ])
}

/// A rule that matches when all conditions on arguments hold: number of the argument, comparison, value. The kernel
/// reads 32 bits of these arguments.
fn all_of(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule> {
    let conditions = conditions.iter().map(|(argument, compare, value)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, compare.clone(), *value)
    });
    Ok(SeccompRule::new(conditions.collect::<Result<_, _>>()?)?)
}

fn on_every_interface(rules: impl IntoIterator<Item = (i64, Vec<SeccompRule>)>) -> Rules {
    rules
        .into_iter()
        .flat_map(|(call, rules)| {
            OTHER_NUMBERS
                .iter()
                .map(move |other| (call | other, rules.clone()))
        })
        .collect()
}

/// A filter that refuses what matches with the error `errno` and allows the rest.
fn program(rules: Rules, errno: i32) -> Result<BpfProgram> {
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno.cast_unsigned()),
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}
