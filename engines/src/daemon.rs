use crate::StartError;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Interval between two checks of a condition.
const POLL: Duration = Duration::from_millis(20);
const TAIL_LINES: usize = 15;
const TAIL_BYTES: u64 = 16 * 1024;
/// Longer lines are cut, because some of MongoDB's fill a screen.
const LINE_CHARS: usize = 240;

/// A long-running child process that cannot outlive this one.
///
/// Its own process group keeps Ctrl-C in the terminal away from it, so that the parent decides the order in which
/// processes stop. Its standard output and error are appended to a log file.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    log: PathBuf,
    /// The offset of this run's first line in the log.
    log_start: u64,
}

impl Daemon {
    /// Starts `command`. Errors name the process `name`; `log` is created when it does not exist.
    ///
    /// # Errors
    ///
    /// [`StartError::Io`] when the program cannot be run or the log cannot be written.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Daemon, StartError> {
        let error = StartError::io(name);
        let file = open_log(log).map_err(&error)?;
        let log_start = file.metadata().map_err(&error)?.len();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(&error)?)
            .stderr(file)
            .process_group(0);
        die_with_parent(&mut command);
        Ok(Daemon {
            name: name.to_owned(),
            child: spawn_from_lasting_thread(command).map_err(&error)?,
            status: None,
            log: log.to_owned(),
            log_start,
        })
    }

    /// Waits until `is_ready` returns true.
    ///
    /// # Errors
    ///
    /// [`StartError::Exited`] when the process ends first, [`StartError::TimedOut`] after `limit`; both contain the
    /// end of the log.
    pub fn wait_until(
        &mut self,
        limit: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), StartError> {
        self.wait_for(limit, || if is_ready() { Ok(()) } else { Err(String::new()) })
    }

    /// As [`Daemon::wait_until`], with a reason for each time that the process is not ready; [`StartError::TimedOut`]
    /// contains the last one.
    pub(crate) fn wait_for(
        &mut self,
        limit: Duration,
        mut step: impl FnMut() -> Result<(), String>,
    ) -> Result<(), StartError> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return Err(StartError::Exited {
                    name: self.name.clone(),
                    status,
                    log: self.log.clone(),
                    tail: self.log_tail(),
                });
            }
            let Err(reason) = step() else { return Ok(()) };
            if start.elapsed() > limit {
                return Err(StartError::TimedOut {
                    name: self.name.clone(),
                    after: limit,
                    reason,
                    log: self.log.clone(),
                    tail: self.log_tail(),
                });
            }
            thread::sleep(POLL);
        }
    }

    /// The name used in errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The exit status, or `None` while the process runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            // An error means that the child no longer exists.
            self.status = self
                .child
                .try_wait()
                .unwrap_or_else(|_| Some(ExitStatus::from_raw(0)));
        }
        self.status
    }

    /// The last lines that this run logged.
    pub fn log_tail(&self) -> String {
        tail(&self.log, self.log_start).unwrap_or_default()
    }

    /// Sends SIGTERM without waiting for the end.
    pub fn terminate(&mut self) {
        self.signal(libc::SIGTERM);
    }

    /// Sends SIGTERM, kills the process group after `grace`, and returns the exit status.
    pub fn stop(&mut self, grace: Duration) -> ExitStatus {
        self.terminate();
        let start = Instant::now();
        while start.elapsed() < grace {
            if let Some(status) = self.exited() {
                return status;
            }
            thread::sleep(POLL);
        }
        self.kill()
    }

    /// Kills the process and its process group at once.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(libc::SIGKILL);
        *self
            .status
            .get_or_insert_with(|| self.child.wait().unwrap_or(ExitStatus::from_raw(0)))
    }

    fn signal(&mut self, signal: libc::c_int) {
        if self.exited().is_none() {
            let id = self.child.id() as libc::pid_t;
            let to = if signal == libc::SIGKILL { -id } else { id };
            // SAFETY: no memory is involved; the child is not reaped yet, so no other process has its id.
            unsafe { libc::kill(to, signal) };
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes the kernel kill the child when this process ends, even by SIGKILL.
fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are made: prctl and getppid.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the call above.
            if libc::getppid() as u32 != parent {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Ok(())
        });
    }
}

/// Starts all children from one thread that never ends.
///
/// The kernel sends the parent-death signal when the forking thread ends, so a child of a test's or a pool's thread
/// would die with that thread.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    type Request = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: LazyLock<mpsc::Sender<Request>> = LazyLock::new(|| {
        let (requests, inbox) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                // The caller waits for the answer, so sending cannot fail.
                let _ = answer.send(command.spawn());
            }
        });
        requests
    });
    let (answer, child) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    SPAWNER.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

fn open_log(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

fn tail(path: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.max(end.saturating_sub(TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().take(LINE_CHARS).collect())
        .collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}
