//! Features of the processor and the kernel that the workers use.

use std::fs;

/// First version of Landlock that limits the ports of a program.
const LIMITS_PORTS: i64 = 4;
/// First version that keeps the signals of a program from other processes.
const LIMITS_SIGNALS: i64 = 6;

/// True when the processor runs the speech engine, which is compiled for x86-64-v3.
pub(super) fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    let found = false;
    found
}

/// Version of the kernel.
pub(super) fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim())
}

/// True when the kernel filters the system calls of a program.
pub(super) fn has_seccomp() -> bool {
    // SAFETY: this prctl only reads, and its arguments are plain integers.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP) >= 0 }
}

/// Version of Landlock's interface; `None` when the kernel has none, or a container's runtime forbids it.
pub(super) fn landlock() -> Option<i64> {
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
    (version > 0).then_some(version)
}

/// Names what a version of Landlock cannot limit, with the kernel that can; `None` when nothing is missing.
pub(super) fn missing(landlock: Option<i64>) -> Option<&'static str> {
    match landlock {
        None => Some(
            "the kernel has no Landlock (Linux 5.13; `lsm=` at boot), or the container's runtime forbids it: a program \
             that a file takes over reads the files of its worker",
        ),
        Some(..LIMITS_PORTS) => {
            Some("this version cannot limit ports (Linux 6.7), so `detect` fetches whole files")
        }
        Some(LIMITS_PORTS..LIMITS_SIGNALS) => {
            Some("this version does not limit signals (Linux 6.12); seccomp does")
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_versions_lack_something() {
        let check = |version, text: Option<&str>| {
            let found = missing(version);
            assert_eq!(found.is_some(), text.is_some(), "{version:?}");
            assert!(
                found.unwrap_or_default().contains(text.unwrap_or_default()),
                "{version:?}"
            );
        };
        check(None, Some("no Landlock"));
        check(Some(1), Some("ports"));
        check(Some(3), Some("ports"));
        check(Some(4), Some("signals"));
        check(Some(6), None);
        check(Some(9), None);
    }
}
