//! One of VidP's services, started, hurt and started again.

use anyhow::{Context, Result};
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use vidp_common::service;
use vidp_engines::Daemon;

/// A service's process.
pub struct Process {
    /// For reports, for example `scale-1`.
    pub name: String,
    program: PathBuf,
    log: PathBuf,
    environment: Vec<(String, String)>,
    state: Mutex<State>,
}

struct State {
    daemon: Option<Daemon>,
    /// The process should run: when it ends by itself it is started again, as Kubernetes does.
    wanted: bool,
    crashes: u32,
}

impl Process {
    /// Starts it.
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

    /// `program`, which lies beside this one, with nothing of our own environment but PATH and these; not started yet.
    pub fn new(
        name: &str,
        program: &str,
        logs: &Path,
        environment: Vec<(String, String)>,
    ) -> Result<Process> {
        Ok(Process {
            name: name.to_owned(),
            program: beside(program)?,
            log: logs.join(format!("{name}.log")),
            environment,
            state: Mutex::new(State {
                daemon: None,
                wanted: false,
                crashes: 0,
            }),
        })
    }

    /// Starts it again, with more settings for this time, such as the step of `vidp_common::crash` to die at.
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

    /// Starts it again if it has ended by itself; true when it had.
    pub fn revive(&self) -> Result<bool> {
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
        let bind = self.environment.iter().find(|(name, _)| name == "VIDP_BIND");
        let address = bind.context("it has an address")?.1.parse()?;
        let ready = async {
            while service::healthcheck(address, true).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(limit, ready)
            .await
            .with_context(|| format!("{} was not ready within {} s", self.name, limit.as_secs()))
    }

    /// How often it ended by itself.
    pub fn crashes(&self) -> u32 {
        self.state().crashes
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.state().daemon.as_ref().map(Daemon::pid)
    }

    /// SIGKILL, SIGSTOP, SIGCONT …
    pub fn signal(&self, signal: i32) {
        if let Some(pid) = self.pid() {
            send(pid, signal);
        }
    }

    /// SIGTERM, and its exit status; it stays down until it is launched.
    pub fn stop(&self, grace: Duration) -> Option<ExitStatus> {
        let daemon = {
            let mut state = self.state();
            state.wanted = false;
            state.daemon.take()
        };
        daemon.map(|mut daemon| daemon.stop(grace))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a signal to a process that we started.
pub fn send(pid: u32, signal: i32) {
    // SAFETY: a plain system call.
    unsafe { libc::kill(pid.cast_signed(), signal) };
}

/// The programs are built into one folder; tests run one below it.
fn beside(program: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .with_context(|| format!("{program} is not beside {}: build the workspace", own.display()))
}
