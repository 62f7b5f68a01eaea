use super::{
    arguments::Up,
    engines::{self, BUCKET, Engines, say_up},
    models::speech_models,
    service::{Plan, Service},
    state::{self, ServiceState, State},
    stopping::Stopping,
};
use anyhow::{Context, Result};
use std::{
    env,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use vidp_engines::{S3User, free_port};

/// Time within which each service must become ready.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Interval between two checks of the processes.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// Short, because the user waits for the prompt: a worker may finish a task that is nearly done, and requeues the
/// others.
const DRAIN_SECONDS: &str = "5";
/// Time after SIGTERM until a worker is killed; its task is then delivered to another worker.
const KILL_AFTER: Duration = Duration::from_secs(15);

/// All processes of a running system, started, watched and stopped together. Dropping it kills every process.
pub struct System {
    // The fields are dropped in this order.
    workers: Vec<Service>,
    api: Service,
    engines: Engines,
    environment: Vec<(&'static str, String)>,
    data_dir: PathBuf,
    _lock: File,
}

impl System {
    /// Starts all processes and waits until they are ready; `None` when a signal arrived before.
    pub fn start(up: &Up, stopping: &Stopping) -> Result<Option<System>> {
        let data_dir = folder(&up.data_dir)?;
        let lock = state::lock(&data_dir)?;
        state::remove(&data_dir);
        let logs = folder(&data_dir.join("logs"))?;
        let speech = if up.detect_workers + up.subtitle_workers > 0 {
            speech_models(up.model.as_deref())?
        } else {
            Vec::new()
        };

        // Checked before the engines start, which takes a while.
        if up.api_port != 0 {
            TcpListener::bind(("127.0.0.1", up.api_port))
                .with_context(|| format!("port {}; --api-port selects another port", up.api_port))?;
        }
        let engines = engines::start(&data_dir, &logs)?;
        if stopping.is_set() {
            return Ok(None);
        }
        let mut environment = engines.environment();
        environment.extend(default("VIDP_S3_BUCKET", BUCKET));
        environment.extend(default("VIDP_DRAIN_SECONDS", DRAIN_SECONDS));
        // A backtrace of an ordinary error would push its reason out of the last lines of the log.
        environment.extend(default("RUST_LIB_BACKTRACE", "0"));
        let scratch = folder(&data_dir.join("scratch"))?;
        environment.push(("VIDP_SCRATCH_DIR", scratch.display().to_string()));

        let start = Instant::now();
        let mut api_environment = engines.api_environment();
        api_environment.extend(default("VIDP_MONGODB_DATABASE", "vidp"));
        // The API listens on 127.0.0.1 only.
        api_environment.extend(default("VIDP_AUTH", "off"));
        // A second `vidp up` must not need the same port.
        let probes = env::var("VIDP_PROBE_BIND").unwrap_or_else(|_| format!("127.0.0.1:{}", free_port()));
        api_environment.push(("VIDP_PROBE_BIND", probes.clone()));
        let port = if up.api_port == 0 {
            free_port()
        } else {
            up.api_port
        };
        let plan = Plan {
            name: "api".to_owned(),
            program: "vidp-api",
            args: Vec::new(),
            environment: with_port([&environment[..], &api_environment].concat(), port),
            port,
            probes,
        };
        let api = Service::start(plan, &logs)?;
        let workers = worker_plans(up, &engines, &environment, &speech)
            .map(|plan| Service::start(plan, &logs))
            .collect::<Result<_>>()?;
        environment.extend(api_environment);
        let mut system = System {
            workers,
            api,
            engines,
            environment,
            data_dir,
            _lock: lock,
        };
        if !system.wait_ready(stopping, start)? {
            system.stop();
            return Ok(None);
        }
        system.write_state()?;
        Ok(Some(system))
    }

    /// The API's address.
    pub fn url(&self) -> String {
        self.api.url()
    }

    /// Absolute path of the data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Restarts processes that end, until the signal.
    pub fn watch(&mut self, stopping: &Stopping) {
        while !stopping.is_set() {
            let mut changed = self.engines.restart_ended();
            for service in self.services() {
                changed |= service.restart_if_ended();
            }
            if changed && let Err(error) = self.write_state() {
                say!("up.json: {error:#}");
            }
            thread::sleep(CHECK_INTERVAL);
        }
    }

    /// Stops all processes: the workers together, then the API, then the engines.
    pub fn stop(&mut self) {
        state::remove(&self.data_dir);
        for worker in &mut self.workers {
            worker.daemon().terminate();
        }
        let start = Instant::now();
        for service in self.services() {
            service
                .daemon()
                .stop(KILL_AFTER.saturating_sub(start.elapsed()).max(CHECK_INTERVAL));
        }
        self.engines.stop();
    }

    /// Waits until every service is ready; false when a signal arrived first.
    fn wait_ready(&mut self, stopping: &Stopping, start: Instant) -> Result<bool> {
        for service in self.services() {
            if !service.wait_ready(READY_LIMIT, || stopping.is_set())? {
                return Ok(false);
            }
            say_up(service.name(), service.url(), start);
        }
        Ok(true)
    }

    /// The workers, then the API.
    fn services(&mut self) -> impl Iterator<Item = &mut Service> {
        self.workers.iter_mut().chain([&mut self.api])
    }

    fn write_state(&mut self) -> Result<()> {
        let services = self
            .services()
            .map(|service| ServiceState {
                name: service.name().to_owned(),
                pid: service.daemon().pid(),
                url: service.url(),
                metrics: service.metrics(),
                log: service.daemon().log().to_owned(),
            })
            .collect();
        let state = State {
            url: self.url(),
            pid: std::process::id(),
            data_dir: self.data_dir.clone(),
            environment: self.service_environment(),
            engines: self.engines.states(),
            services,
        };
        state.write().context("write up.json")
    }

    /// The environment of the services: variables set here, and the `VIDP_` variables of this process.
    fn service_environment(&self) -> serde_json::Map<String, serde_json::Value> {
        env::vars()
            .filter(|(name, _)| name.starts_with("VIDP_"))
            .chain(
                self.environment
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone())),
            )
            .map(|(name, value)| (name, value.into()))
            .collect()
    }
}

fn worker_plans<'a>(
    up: &Up,
    engines: &'a Engines,
    environment: &'a [(&'static str, String)],
    speech: &'a [(&'static str, String)],
) -> impl Iterator<Item = Plan> + 'a {
    let lang = |role: &str| vec!["--role".to_owned(), role.to_owned()];
    [
        (
            "detect",
            "worker-lang",
            lang("detect"),
            S3User::Langscale,
            up.detect_workers,
        ),
        (
            "scale",
            "worker-scale",
            Vec::new(),
            S3User::Downscale,
            up.scale_workers,
        ),
        (
            "subtitle",
            "worker-lang",
            lang("subtitle"),
            S3User::Subtitle,
            up.subtitle_workers,
        ),
    ]
    .into_iter()
    .flat_map(move |(stage, program, args, user, count)| {
        (1..=count).map(move |i| {
            let port = free_port();
            Plan {
                name: format!("{stage}-{i}"),
                program,
                args: args.clone(),
                environment: with_port([environment, speech, &engines.key(user)].concat(), port),
                port,
                probes: format!("127.0.0.1:{port}"),
            }
        })
    })
}

fn with_port(mut environment: Vec<(&'static str, String)>, port: u16) -> Vec<(&'static str, String)> {
    environment.push(("VIDP_BIND", format!("127.0.0.1:{port}")));
    environment
}

/// A variable with its default; `None` when the user's environment sets it.
fn default(name: &'static str, value: &str) -> Option<(&'static str, String)> {
    env::var_os(name).is_none().then(|| (name, value.to_owned()))
}

/// Creates a folder and returns its absolute path, because the processes may have other working directories.
fn folder(path: &Path) -> Result<PathBuf> {
    fs::create_dir_all(path)
        .and_then(|()| fs::canonicalize(path))
        .with_context(|| format!("create {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vidp_engines::S3;

    #[test]
    fn each_program_has_its_own_key_to_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = S3::start(folder.path(), 0).unwrap();
        let operator = store.access_key().to_owned();
        let engines = Engines::with_store(store);
        let up = Up {
            data_dir: folder.path().to_owned(),
            api_port: 0,
            scale_workers: 1,
            detect_workers: 1,
            subtitle_workers: 1,
            model: None,
            json: false,
        };
        let key = |environment: &[(&str, String)]| {
            let names = ["VIDP_S3_ACCESS_KEY", "VIDP_S3_SECRET_KEY"];
            let values = environment.iter().filter(|(name, _)| names.contains(name));
            values.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let shared = engines.environment();
        assert!(key(&shared).is_empty());
        let mut keys = vec![key(&engines.api_environment())];
        keys.extend(worker_plans(&up, &engines, &shared, &[]).map(|plan| key(&plan.environment)));
        assert!(keys.iter().all(|key| key.len() == 2 && key[0] != operator));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 4, "{keys:?}");
    }
}
