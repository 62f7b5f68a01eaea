//! The files, ports and processes that a child program reaches: Landlock.

use super::access::Access;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope, make_bitflags, path_beneath_rules,
};
use std::{
    env, io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// The newest rights that are used. A kernel that knows fewer limits those that it knows.
const RIGHTS: ABI = ABI::V7;
/// First ABI that limits ports.
const PORTS: i32 = 4;
/// First ABI that keeps signals within a child.
const SIGNALS: i32 = 6;

/// Programs and libraries of the system.
const PROGRAMS: &[&str] = &[
    "/usr",
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
];
/// Other files that the C library and the encoders' thread pools read at start. They hold no secrets.
const SYSTEM_FILES: &[&str] = &[
    "/etc/ld.so.cache",
    "/dev/urandom",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
];

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
const RUN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute});
/// Regular files only: a symbolic link or a device in the task's folder could make the worker read another file.
const WRITE: BitFlags<AccessFs> =
    make_bitflags!(AccessFs::{ReadFile | ReadDir | WriteFile | Truncate | MakeReg | RemoveFile});

/// Version of Landlock's interface in this kernel; 0 without Landlock, or where the runtime forbids it.
static KERNEL_ABI: LazyLock<i32> = LazyLock::new(|| {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the call reads no memory and returns a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            VERSION,
        )
    };
    i32::try_from(version).unwrap_or(0).max(0)
});

/// A sentence about Landlock in this kernel, for the log.
pub(super) fn layer() -> String {
    describe(*KERNEL_ABI)
}

fn describe(abi: i32) -> String {
    match abi {
        ..=0 => "no Landlock: child programs can read the worker's files".to_owned(),
        1..PORTS => format!("Landlock {abi} (files; it cannot limit ports, so sources are fetched whole)"),
        PORTS..SIGNALS => format!("Landlock {abi} (files, ports)"),
        _ => format!("Landlock {abi} (files, ports, signals)"),
    }
}

/// True when a child can be limited to one port. Without this, no child may have a socket.
pub fn can_limit_ports() -> bool {
    *KERNEL_ABI >= PORTS
}

/// Prepares the rules for a child that runs `program`; `None` on a kernel without Landlock.
///
/// # Errors
/// A path of `access` does not exist, or the kernel cannot limit ports and `access` has one.
pub(super) fn rules(program: &Path, access: &Access) -> io::Result<Option<OwnedFd>> {
    if access.port.is_some() && !can_limit_ports() {
        return Err(io::Error::other(
            "this kernel cannot limit a child program to one port (Landlock ABI 4, Linux 6.7)",
        ));
    }
    if *KERNEL_ABI == 0 {
        return Ok(None);
    }
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(RIGHTS)))
        .and_then(|rules| rules.scope(Scope::from_all(RIGHTS)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(PROGRAMS, RUN)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(own_files(program), RUN)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(SYSTEM_FILES, READ)))
        .and_then(|rules| rules.add_rules(path_beneath_rules(["/dev/null"], WRITE)))
        .map_err(io::Error::other)?;
    for (paths, rights) in [(&access.read, READ), (&access.write, WRITE)] {
        for path in paths {
            let path = PathFd::new(path).map_err(io::Error::other)?;
            rules = rules
                .add_rule(PathBeneath::new(path, rights))
                .map_err(io::Error::other)?;
        }
    }
    if let Some(port) = access.port {
        rules = rules
            .add_rule(NetPort::new(port, AccessNet::ConnectTcp))
            .map_err(io::Error::other)?;
    }
    Ok(rules.into())
}

/// The file of a program that is installed outside the system's folders, and the libraries beside its `bin` folder.
fn own_files(program: &Path) -> Vec<PathBuf> {
    let named = program.components().count() > 1;
    let found = match named {
        true => Some(program.to_owned()),
        false => env::var_os("PATH").and_then(|path| {
            env::split_paths(&path)
                .map(|folder| folder.join(program))
                .find(|path| path.is_file())
        }),
    };
    let Some(file) = found.and_then(|path| path.canonicalize().ok()) else {
        return Vec::new();
    };
    let beside = file.parent().filter(|folder| folder.ends_with("bin"));
    let prefix = beside.and_then(Path::parent);
    let libraries = ["lib", "lib64"].map(|name| prefix.map(|prefix| prefix.join(name)));
    libraries.into_iter().flatten().chain([file]).collect()
}

/// Applies rules to the calling thread. Calls only async-signal-safe functions.
pub(super) fn apply(rules: &OwnedFd) -> io::Result<()> {
    allow_own_status(rules.as_raw_fd());
    // SAFETY: the arguments are plain integers, and the descriptor is open.
    match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets the child read its own `/proc/self/status`, where libnuma (for x265) looks for its processors.
///
/// The path means another file here than in the parent, so this rule cannot be prepared. Without it x265 is slower on
/// machines with several memory nodes, and nothing else changes: errors are ignored.
fn allow_own_status(rules: RawFd) {
    /// `struct landlock_path_beneath_attr` of Linux's uapi/linux/landlock.h.
    #[repr(C, packed)]
    struct PathBeneath {
        allowed_access: u64,
        parent_fd: RawFd,
    }
    const PATH_BENEATH: libc::c_int = 1;
    // SAFETY: the path ends with a zero byte, the attribute lives during the call, and the descriptor is closed once.
    unsafe {
        let status = libc::open(c"/proc/self/status".as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        let attribute = PathBeneath {
            allowed_access: AccessFs::ReadFile as u64,
            parent_fd: status,
        };
        if status >= 0 {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                rules,
                PATH_BENEATH,
                &raw const attribute,
                0,
            );
            libc::close(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_what_a_kernel_lacks() {
        let check = |abi, text| assert!(describe(abi).contains(text), "{}", describe(abi));
        check(0, "no Landlock");
        check(1, "cannot limit ports");
        check(3, "cannot limit ports");
        check(4, "(files, ports)");
        check(5, "(files, ports)");
        check(6, "(files, ports, signals)");
    }

    #[test]
    fn a_program_elsewhere_gets_itself_and_the_libraries_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/ffmpeg");
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::write(&program, "").unwrap();
        let prefix = folder.path().canonicalize().unwrap();
        let expected = ["lib", "lib64", "bin/ffmpeg"].map(|name| prefix.join(name));
        assert_eq!(own_files(&program), expected);
        assert_eq!(own_files(Path::new("no-such-program")), [] as [PathBuf; 0]);
        let shell = own_files(Path::new("sh"));
        assert!(shell.last().unwrap().starts_with("/usr"), "{shell:?}");
    }
}
