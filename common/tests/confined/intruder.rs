//! The attacker inside: a program that runs in the place of ffmpeg or ffprobe and tries what a program that was taken
//! over would try. It does no harm: it opens and closes, and writes only what it is allowed to write.
//!
//! Each line of its standard error is one attempt, `name: result`; a result is `done` or the name of the error. The last
//! line lists what was done, because a worker logs the last lines alone. Arguments: an input as for ffmpeg
//! (`file:<path>` or `http://127.0.0.1:<port>/<path>`), `other=<file>`, `folder=<own folder>`, `port=<port>`.
//!
//! With the argument `service` or `hidden-service` it is the attacked worker instead, which runs itself as its child.

use std::{
    fs, io,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

/// What was done.
static DONE: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [role] = args.as_slice()
        && role.ends_with("service")
    {
        return serve(role == "hidden-service");
    }
    let argument = |prefix: &str| {
        args.iter()
            .find_map(|arg| arg.strip_prefix(prefix).map(str::to_owned))
    };
    // SAFETY: the call takes no arguments and cannot fail.
    let parent = unsafe { libc::getppid() };
    files(parent);
    if let Some(source) = argument("file:") {
        tell("own source", read(&source));
        let folder = Path::new(&source).parent();
        if let Some(tasks) = folder.and_then(Path::parent) {
            tell("list of all tasks", fs::read_dir(tasks));
        }
    }
    if let Some(other) = argument("other=") {
        tell("another task's file", read(&other));
        tell(
            "link to another file",
            std::os::unix::fs::symlink(&other, other.clone() + ".link"),
        );
        tell(
            "change of another file",
            fs::OpenOptions::new().write(true).open(&other),
        );
        tell("removal of another file", fs::remove_file(&other));
    }
    if let Some(folder) = argument("folder=").map(PathBuf::from) {
        own_folder(&folder);
    }
    processes(parent);
    network(argument("port=").and_then(|port| port.parse().ok()));
    if let Some(place) = argument("http://") {
        tell("own source by http", fetch(&place));
    }
    if args.iter().any(|arg| arg.contains("X-Amz-")) {
        tell("presigned URL in the arguments", Ok(()));
    }
    eprintln!("reached: {}", DONE.lock().unwrap().join(", "));
    std::process::exit(1);
}

/// Runs the intruder without walls as the child of this process, which has no more rights than its child.
fn serve(hidden: bool) {
    if hidden {
        vidp_common::service::hide_memory().unwrap();
    }
    let intruder = std::env::current_exe().unwrap();
    std::process::Command::new(intruder).status().unwrap();
}

/// Prints one result.
fn tell<T>(what: &str, result: io::Result<T>) {
    let found = match result.map_err(|error| error.raw_os_error()) {
        Ok(_) => {
            DONE.lock().unwrap().push(what.to_owned());
            "done".to_owned()
        }
        Err(Some(libc::EACCES)) => "EACCES".to_owned(),
        Err(Some(libc::EPERM)) => "EPERM".to_owned(),
        Err(Some(libc::ENOSYS)) => "ENOSYS".to_owned(),
        Err(other) => format!("{other:?}"),
    };
    eprintln!("{what}: {found}");
}

fn read(path: impl AsRef<Path>) -> io::Result<()> {
    fs::File::open(path)?.read(&mut [0; 1]).map(drop)
}

fn files(parent: i32) {
    tell(
        "environment of the worker",
        read(format!("/proc/{parent}/environ")),
    );
    tell(
        "memory of the worker",
        fs::File::open(format!("/proc/{parent}/mem")),
    );
    tell(
        "open files of the worker",
        fs::read_dir(format!("/proc/{parent}/fd")),
    );
    tell("list of users", read("/etc/passwd"));
    tell("list of the root folder", fs::read_dir("/"));
    for (what, path) in [
        ("file outside", "/tmp/vidp-intruder"),
        ("file in the system", "/usr/lib/vidp-intruder"),
    ] {
        tell(what, fs::File::create(path));
        fs::remove_file(path).unwrap_or_default();
    }
    tell("library", read("/lib64/ld-linux-x86-64.so.2"));
}

fn own_folder(folder: &Path) {
    let file = folder.join("output");
    tell("file in the own folder", fs::write(&file, "output"));
    tell("file in the own folder again", fs::write(&file, "output"));
    tell(
        "renaming in the own folder",
        fs::rename(&file, folder.join("renamed")),
    );
    tell(
        "removal in the own folder",
        fs::remove_file(folder.join("renamed")),
    );
    tell(
        "link in the own folder",
        std::os::unix::fs::symlink("/etc/passwd", folder.join("link")),
    );
    let pipe = std::ffi::CString::new(folder.join("pipe").as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: the path ends with a zero byte.
    tell(
        "pipe in the own folder",
        result(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }.into()),
    );
    let program = folder.join("program");
    fs::copy("/bin/true", &program).unwrap_or_default();
    tell(
        "running an own file",
        std::process::Command::new(&program).spawn(),
    );
}

fn result(returned: libc::c_long) -> io::Result<()> {
    match returned {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A system call with integers and null pointers; what it would create or change is never used.
fn call(number: libc::c_long, first: libc::c_long, second: libc::c_long) -> io::Result<()> {
    // SAFETY: the callers pass integers and null pointers alone. A call that makes a process ends it below.
    let returned = unsafe { libc::syscall(number, first, second, 0, 0, 0) };
    if returned == 0 && [libc::SYS_fork, libc::SYS_vfork, libc::SYS_clone].contains(&number) {
        // SAFETY: ends the new process at once.
        unsafe { libc::_exit(0) };
    }
    result(returned)
}

fn processes(parent: i32) {
    let parent = libc::c_long::from(parent);
    let child = libc::c_long::from(libc::SIGCHLD);
    tell("fork", call(libc::SYS_fork, 0, 0));
    tell("fork by clone", call(libc::SYS_clone, child, 0));
    let user = child | libc::c_long::from(libc::CLONE_NEWUSER);
    tell("user namespace by clone", call(libc::SYS_clone, user, 0));
    tell("clone3", call(libc::SYS_clone3, 0, 0));
    tell("own group", call(libc::SYS_setpgid, 0, 0));
    tell("own session", call(libc::SYS_setsid, 0, 0));
    tell(
        "life after the worker",
        call(libc::SYS_prctl, libc::PR_SET_PDEATHSIG.into(), 0),
    );
    tell("signal to the worker", call(libc::SYS_kill, parent, 0));
    tell(
        "trace of the worker",
        call(libc::SYS_ptrace, libc::PTRACE_SEIZE.into(), parent),
    );
    tell("handle of the worker", call(libc::SYS_pidfd_open, parent, 0));
    tell(
        "limits of the worker",
        call(libc::SYS_prlimit64, parent, libc::RLIMIT_CORE.into()),
    );
    tell("mounts", call(libc::SYS_open_tree, 0, 0));
    tell("file by handle", call(libc::SYS_open_by_handle_at, 0, 0));
    tell(
        "shared memory",
        call(libc::SYS_shmget, libc::IPC_PRIVATE.into(), 4096),
    );
    tell(
        "thread",
        std::thread::Builder::new()
            .spawn(|| ())
            .map(|thread| thread.join().is_ok()),
    );
    // Last, because it takes rights that the attempts before need.
    tell(
        "user namespace",
        call(libc::SYS_unshare, libc::CLONE_NEWUSER.into(), 0),
    );
}

fn network(port: Option<u16>) {
    tell("socket for other protocols", UnixDatagram::unbound());
    tell("socket for names", UdpSocket::bind("127.0.0.1:0"));
    tell("server", TcpListener::bind("127.0.0.1:0"));
    // SAFETY: the arguments are plain integers.
    let multipath = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP) };
    tell("socket past the rules for ports", result(multipath.into()));
    if let Some(port) = port {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        tell(
            "another port",
            TcpStream::connect_timeout(&address, Duration::from_secs(2)),
        );
    }
}

/// Reads the start of `<host>:<port>/<path>`.
fn fetch(place: &str) -> io::Result<()> {
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes=0-9\r\n\r\n"
    )?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    match &head[9..] {
        b"206" => Ok(()),
        other => Err(io::Error::other(String::from_utf8_lossy(other).into_owned())),
    }
}
