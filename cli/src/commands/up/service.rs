use anyhow::{Context, Result};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use vidp_engines::{Daemon, StartError, http_get};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A process that ran for this long has started correctly: the next restart has the shortest pause again.
const STEADY_AFTER: Duration = Duration::from_secs(60);
/// Number of ends in a row from which on each is reported as a fault.
const FAULT_AFTER: u32 = 5;

/// How to start a service.
pub(super) struct Plan {
    /// Name in logs and messages, for example `scale-1`.
    pub(super) name: String,
    /// The executable's name.
    pub(super) program: &'static str,
    /// Arguments of the executable.
    pub(super) args: Vec<String>,
    /// Environment variables in addition to those of this process.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Port of the API, or of the probes of a worker.
    pub(super) port: u16,
    /// Address of `/metrics`, as `host:port`.
    pub(super) probes: String,
}

/// A running service: the API or a worker.
pub(super) struct Service {
    plan: Plan,
    program: PathBuf,
    log: PathBuf,
    daemon: Daemon,
    started: Instant,
    ends: u32,
    restart_at: Option<Instant>,
}

impl Service {
    /// Starts the service and does not wait until it is ready.
    pub(super) fn start(plan: Plan, logs: &Path) -> Result<Service> {
        let program = find(plan.program)?;
        let log = logs.join(format!("{}.log", plan.name));
        let daemon = spawn(&plan, &program, &log)?;
        Ok(Service {
            plan,
            program,
            log,
            daemon,
            started: Instant::now(),
            ends: 0,
            restart_at: None,
        })
    }

    /// Waits until the service is ready, or returns false when `give_up` returns true.
    pub(super) fn wait_ready(
        &mut self,
        limit: Duration,
        give_up: impl Fn() -> bool,
    ) -> Result<bool, StartError> {
        let port = self.plan.port;
        let mut ready = false;
        self.daemon.wait_until(limit, || {
            ready = http_get(port, "/ready").is_some_and(|(status, _)| status == 200);
            ready || give_up()
        })?;
        Ok(ready)
    }

    /// Restarts the service when it has ended, with growing pauses. Returns true when it has a new process.
    pub(super) fn restart_if_ended(&mut self) -> bool {
        let name = &self.plan.name;
        match self.restart_at {
            Some(at) if Instant::now() < at => false,
            Some(_) => {
                self.started = Instant::now();
                match spawn(&self.plan, &self.program, &self.log) {
                    Ok(daemon) => {
                        say!("{name} restarted");
                        self.daemon = daemon;
                        self.restart_at = None;
                        true
                    }
                    Err(error) => {
                        say!("{error}");
                        self.restart_at = Some(Instant::now() + LONGEST_PAUSE);
                        false
                    }
                }
            }
            None => {
                let Some(status) = self.daemon.exited() else {
                    return false;
                };
                if self.started.elapsed() > STEADY_AFTER {
                    self.ends = 0;
                }
                let pause = LONGEST_PAUSE.min(FIRST_PAUSE * 2u32.pow(self.ends.min(10)));
                self.ends += 1;
                self.restart_at = Some(Instant::now() + pause);
                let log = self.log.display();
                say!(
                    "{name} ended ({status}); last lines of {log}:\n{}",
                    self.daemon.log_tail()
                );
                if self.ends >= FAULT_AFTER {
                    say!(
                        "{name} has ended {} times in a row: next restart in {pause:?}",
                        self.ends
                    );
                }
                false
            }
        }
    }

    /// Name in logs and messages.
    pub(super) fn name(&self) -> &str {
        &self.plan.name
    }

    /// Base address of `/health` and `/ready`.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.plan.port)
    }

    /// URL of the metrics.
    pub(super) fn metrics(&self) -> String {
        format!("http://{}/metrics", self.plan.probes)
    }

    /// The service's process.
    pub(super) fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

fn spawn(plan: &Plan, program: &Path, log: &Path) -> Result<Daemon, StartError> {
    let mut command = Command::new(program);
    command.args(&plan.args).envs(plan.environment.iter().cloned());
    Daemon::spawn(&plan.name, command, log)
}

/// Finds a program beside this executable, where the build and the image put it, or on the PATH.
fn find(program: &str) -> Result<PathBuf> {
    let beside = env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.to_owned()));
    let path = env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(env::split_paths(&path))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
        .with_context(|| {
            format!("{program} is neither in the folder of vidp nor on the PATH: run `make build`")
        })
}
