//! The process of one of VidP's services, which faults signal, stop and restart.

use anyhow::{Context, Result};
use parking_lot::{Mutex, MutexGuard};
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};
use vidp_common::service;
use vidp_engines::Daemon;

/// A service's process.
pub struct Process {
    /// Name for reports, for example `scale-1`.
    pub name: String,
    program: PathBuf,
    log: PathBuf,
    environment: Vec<(String, String)>,
    state: Mutex<State>,
}

struct State {
    daemon: Option<Daemon>,
    /// The process should run: after an unexpected end it is started again, as Kubernetes does.
    wanted: bool,
    crashes: u32,
}

impl Process {
    /// Creates the process and starts it.
    pub fn start(
        name: &str,
        program: &str,
        logs: &Path,
        environment: Vec<(String, String)>,
    ) -> Result<Process> {
        let process = Process::new(name, program, logs, environment)?;
        process.launch(&[])?;
        Ok(process)
    }

    /// Prepares `program`, found beside this executable, without starting it.
    ///
    /// Its environment consists of this process's PATH and `environment`.
    pub fn new(
        name: &str,
        program: &str,
        logs: &Path,
        environment: Vec<(String, String)>,
    ) -> Result<Process> {
        Ok(Process {
            name: name.to_owned(),
            program: program_path(program)?,
            log: logs.join(format!("{name}.log")),
            environment,
            state: Mutex::new(State {
                daemon: None,
                wanted: false,
                crashes: 0,
            }),
        })
    }

    /// Starts the process, and kills a running one first.
    ///
    /// `more` are settings for this run only, such as the step of `vidp_common::crash` at which it crashes.
    pub fn launch(&self, more: &[(&str, &str)]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("RUST_LIB_BACKTRACE", "0")
            .envs(self.environment.iter().cloned())
            .envs(more.iter().copied());
        let mut state = self.state();
        if let Some(mut daemon) = state.daemon.take() {
            daemon.kill();
        }
        state.daemon = Some(Daemon::spawn(&self.name, command, &self.log)?);
        state.wanted = true;
        Ok(())
    }

    /// Starts the process again if it ended unexpectedly. Returns true when it did.
    pub fn restart_crashed(&self) -> Result<bool> {
        let ended = {
            let mut state = self.state();
            let ended = state.wanted
                && state
                    .daemon
                    .as_mut()
                    .is_none_or(|daemon| daemon.exited().is_some());
            state.crashes += u32::from(ended);
            ended
        };
        if ended {
            self.launch(&[])?;
        }
        Ok(ended)
    }

    /// Waits until the service reports that it is ready.
    pub async fn until_ready(&self, limit: Duration) -> Result<()> {
        let address = self.bind().context("the process has no VIDP_BIND")?.parse()?;
        let ready = async {
            while service::healthcheck(address, true).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(limit, ready)
            .await
            .with_context(|| format!("{} was not ready within {} s", self.name, limit.as_secs()))
    }

    fn bind(&self) -> Option<&str> {
        let mut settings = self.environment.iter();
        settings.find_map(|(name, value)| (name == "VIDP_BIND").then_some(value.as_str()))
    }

    /// True when this worker runs a task, according to its metrics.
    pub async fn runs_a_task(&self, http: &reqwest::Client) -> bool {
        let url = format!("http://{}/metrics", self.bind().unwrap_or_default());
        let Ok(answer) = http.get(url).send().await else {
            return false;
        };
        let text = answer.text().await.unwrap_or_default();
        let mut lines = text.lines();
        lines.any(|line| line.starts_with("vidp_tasks_running{") && !line.ends_with(" 0"))
    }

    /// Number of unexpected ends.
    pub fn crashes(&self) -> u32 {
        self.state().crashes
    }

    /// The process id; `None` when it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.state().daemon.as_ref().map(Daemon::pid)
    }

    /// Sends a signal such as SIGKILL, SIGSTOP or SIGCONT.
    pub fn signal(&self, signal: i32) {
        if let Some(pid) = self.pid() {
            send_signal(pid, signal);
        }
    }

    /// Sends SIGTERM, then SIGKILL after `grace`, and returns the exit status.
    ///
    /// The process stays stopped until [`Process::launch`].
    pub fn stop(&self, grace: Duration) -> Option<ExitStatus> {
        let daemon = {
            let mut state = self.state();
            state.wanted = false;
            state.daemon.take()
        };
        daemon.map(|mut daemon| daemon.stop(grace))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Sends a signal to a process that the harness started.
pub fn send_signal(pid: u32, signal: i32) {
    // SAFETY: a system call without pointers.
    unsafe { libc::kill(pid.cast_signed(), signal) };
}

/// The path of a program of the workspace. All are built into one folder; tests run in a folder below it.
fn program_path(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "{program} was not found beside {}: build the workspace",
                own.display()
            )
        })
}
