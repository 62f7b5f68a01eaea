//! The walls around child programs, tested from inside by `intruder.rs`.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use vidp_common::process::{Access, Limits, ProcessError, capture};

const LIMITS: Limits = Limits {
    wall: Duration::from_secs(10),
    cpu: Duration::from_secs(10),
    memory: 1 << 30,
    file_size: 1 << 20,
};
/// Refused by Landlock (files, ports) or by the kernel's check of a process that hides its memory.
const FILES: &str = "EACCES";
/// Refused by seccomp.
const CALLS: &str = "EPERM";

fn intruder() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vidp-intruder"))
}

/// Runs the intruder as a child and returns the result of each attempt.
async fn attack(args: &[String], access: &Access) -> BTreeMap<String, String> {
    let (lines, never) = (
        std::sync::Arc::new(parking_lot::Mutex::new(Vec::new())),
        CancellationToken::new(),
    );
    let seen = lines.clone();
    let on_line = move |line: &str| seen.lock().push(line.to_owned());
    let ended = capture(intruder(), args, LIMITS, access, 0, &never, on_line).await;
    assert!(matches!(ended, Err(ProcessError::Failed { .. })), "{ended:?}");
    let lines = std::mem::take(&mut *lines.lock());
    let pair = |line: &String| {
        let (what, result) = line.split_once(": ").unwrap();
        (what.to_owned(), result.to_owned())
    };
    lines.iter().map(pair).collect()
}

fn check(found: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (what, result) in expected {
        let found = found.get(*what).map(String::as_str);
        assert_eq!(found, Some(*result), "{what}");
    }
}

/// Two folders of tasks, each with its source.
fn tasks() -> (tempfile::TempDir, [PathBuf; 2]) {
    let scratch = tempfile::tempdir().unwrap();
    let task = |name: &str| {
        let folder = scratch.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("source"), "video").unwrap();
        folder
    };
    let tasks = [task("own"), task("other")];
    (scratch, tasks)
}

#[tokio::test]
async fn a_program_that_was_taken_over_gets_nothing() {
    let (_scratch, [own, other]) = tasks();
    let source = own.join("source");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let args = [
        format!("file:{}", source.display()),
        format!("other={}", other.join("source").display()),
        format!("folder={}", own.display()),
        format!("port={}", server.local_addr().unwrap().port()),
    ];
    let found = attack(&args, &Access::reading(&source).and_writing(&own)).await;
    for what in [
        "environment of the worker",
        "memory of the worker",
        "open files of the worker",
        "list of users",
        "list of the root folder",
        "file outside",
        "file in the system",
        "list of all tasks",
        "another task's file",
        "change of another file",
        "removal of another file",
    ] {
        check(&found, &[(what, FILES)]);
    }
    for what in [
        "link to another file",
        "link in the own folder",
        "pipe in the own folder",
        "running an own file",
        "fork",
        "fork by clone",
        "user namespace by clone",
        "user namespace",
        "own session",
        "own group",
        "life after the worker",
        "signal to the worker",
        "trace of the worker",
        "handle of the worker",
        "limits of the worker",
        "mounts",
        "file by handle",
        "shared memory",
        "socket for other protocols",
        "socket for names",
        "server",
        "socket past the rules for ports",
        "another port",
    ] {
        check(&found, &[(what, CALLS)]);
    }
    // A program that does its work needs these.
    for what in [
        "own source",
        "library",
        "thread",
        "file in the own folder",
        "file in the own folder again",
        "renaming in the own folder",
        "removal in the own folder",
    ] {
        check(&found, &[(what, "done")]);
    }
    check(&found, &[("clone3", "ENOSYS")]);
    assert_eq!(fs::read(other.join("source")).unwrap(), b"video");
    assert!(!own.join("link").is_symlink() && !Path::new("/tmp/vidp-intruder").exists());
}

#[tokio::test]
async fn without_a_folder_a_child_writes_nothing() {
    let (_scratch, [own, _]) = tasks();
    let args = [format!("folder={}", own.display())];
    let found = attack(&args, &Access::reading(&own)).await;
    check(&found, &[("file in the own folder", FILES)]);
}

#[tokio::test]
async fn a_child_with_a_port_connects_to_that_port_alone() {
    let (allowed, other) = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    other.set_nonblocking(true).unwrap();
    let port = |server: &TcpListener| server.local_addr().unwrap().port();
    let answer = std::thread::spawn({
        let allowed = allowed.try_clone().unwrap();
        move || {
            let (mut client, _) = allowed.accept().unwrap();
            // To close a socket with unread bytes resets the connection, and the client loses the answer.
            let head = BufReader::new(&client).lines();
            head.map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .for_each(drop);
            client.write_all(b"HTTP/1.1 206 Partial Content\r\n\r\n").unwrap();
        }
    });
    let args = [
        format!("http://127.0.0.1:{}/source", port(&allowed)),
        format!("port={}", port(&other)),
    ];
    let found = attack(&args, &Access::connecting(port(&allowed))).await;
    answer.join().unwrap();
    check(
        &found,
        &[
            ("own source by http", "done"),
            ("another port", FILES),
            ("server", FILES),
            ("socket for other protocols", CALLS),
            ("socket for names", CALLS),
            ("socket past the rules for ports", CALLS),
            ("fork", CALLS),
            ("environment of the worker", FILES),
        ],
    );
    assert!(other.accept().is_err(), "the other server was reached");
}

/// A kernel without Landlock has this wall alone, so it is tested alone: the child has the rights of its parent.
#[test]
fn a_service_hides_its_memory_from_its_own_user() {
    let attack = |role: &str| {
        let mut command = Command::new(intruder());
        // SAFETY: the closure makes system calls with values on its own stack.
        unsafe { command.arg(role).pre_exec(drop_capabilities) };
        let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
        ["environment of the worker", "memory of the worker"].map(|what| {
            let result = said
                .lines()
                .find_map(|line| line.strip_prefix(what)?.strip_prefix(": "));
            result.unwrap_or_else(|| panic!("{said}")).to_owned()
        })
    };
    // Yama forbids the second in many systems.
    assert_eq!(attack("service")[0], "done", "otherwise this test shows nothing");
    assert_eq!(attack("hidden-service"), [FILES, FILES]);
}

/// Root reads everything; a service is not root.
fn drop_capabilities() -> std::io::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    let none = CapabilitySet::empty();
    let nothing = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    // The rights of a new program come from the bounding set too, unless it may gain none.
    // SAFETY: the arguments are plain integers.
    match unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } {
        0 => Ok(set_capabilities(None, nothing)?),
        _ => Err(std::io::Error::last_os_error()),
    }
}
