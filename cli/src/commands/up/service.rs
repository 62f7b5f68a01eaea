//! One of VidP's own processes: the API or a worker.

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
/// A process that ran for so long did not fail because of how it was started.
const STEADY: Duration = Duration::from_secs(60);
/// Ends in a row after which it is called a fault.
const MANY: u32 = 5;

/// How to start one.
pub struct Plan {
    /// For logs and messages, for example `scale-1`.
    pub name: String,
    /// The executable's name.
    pub program: &'static str,
    /// Its arguments.
    pub args: Vec<String>,
    /// What it gets to know, on top of our own environment.
    pub environment: Vec<(&'static str, String)>,
    /// Where it serves `/ready`.
    pub port: u16,
}

/// One that was started.
pub struct Service {
    plan: Plan,
    program: PathBuf,
    log: PathBuf,
    daemon: Daemon,
    started: Instant,
    ends: u32,
    restart_at: Option<Instant>,
}

impl Service {
    /// Starts it, and does not wait for it.
    pub fn start(plan: Plan, logs: &Path) -> Result<Service> {
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

    /// Waits until it says that it is ready, or `give_up` says so: then false.
    pub fn wait_ready(&mut self, limit: Duration, give_up: impl Fn() -> bool) -> Result<bool, StartError> {
        let port = self.plan.port;
        let mut ready = false;
        self.daemon.wait_until(limit, || {
            ready = http_get(port, "/ready").is_some_and(|(status, _)| status == 200);
            ready || give_up()
        })?;
        Ok(ready)
    }

    /// Looks whether it still runs, and starts it again when it does not, with growing pauses. True when its
    /// process is another one now.
    pub fn revive(&mut self) -> bool {
        let name = &self.plan.name;
        match self.restart_at {
            Some(at) if Instant::now() < at => false,
            Some(_) => {
                self.started = Instant::now();
                match spawn(&self.plan, &self.program, &self.log) {
                    Ok(daemon) => {
                        say!("{name} is started again");
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
                if self.started.elapsed() > STEADY {
                    self.ends = 0;
                }
                let pause = LONGEST_PAUSE.min(FIRST_PAUSE * 2u32.pow(self.ends.min(10)));
                self.ends += 1;
                self.restart_at = Some(Instant::now() + pause);
                let log = self.log.display();
                say!("{name} ended ({status}); {log} ends:\n{}", self.daemon.log_tail());
                if self.ends >= MANY {
                    say!(
                        "{name} has ended {} times in a row: next try in {pause:?}",
                        self.ends
                    );
                }
                false
            }
        }
    }

    /// For logs and messages.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Where it serves `/health`, `/ready` and `/metrics`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.plan.port)
    }

    /// Its process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }
}

fn spawn(plan: &Plan, program: &Path, log: &Path) -> Result<Daemon, StartError> {
    let mut command = Command::new(program);
    command.args(&plan.args).envs(plan.environment.iter().cloned());
    Daemon::spawn(&plan.name, command, log)
}

/// Beside this executable, as the build and the image put them, else on the PATH.
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
        .with_context(|| format!("{program} is neither beside vidp nor on the PATH: run `make build`"))
}
