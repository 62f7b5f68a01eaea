//! All processes of one system, started, watched and stopped together.

use super::{
    Stopping, Up,
    engines::{self, Engines},
    service::{Plan, Service},
    state::{self, ServiceState, State},
};
use crate::model;
use anyhow::{Context, Result};
use std::{
    env,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use vidp_engines::{find_model, free_port};

/// A service that is not ready by then will not be.
const READY: Duration = Duration::from_secs(60);
/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Somebody waits for the prompt: a worker may finish what is nearly done, and hands back the rest.
const DRAIN_SECONDS: &str = "5";
/// After this a worker that was asked to end is killed; its task goes to the next one.
const GRACE: Duration = Duration::from_secs(15);

/// A system that is up. Dropping it kills every process.
pub struct System {
    // Dropped in this order.
    workers: Vec<Service>,
    api: Service,
    engines: Engines,
    environment: Vec<(&'static str, String)>,
    data_dir: PathBuf,
    _lock: File,
}

impl System {
    /// Starts everything and waits until the API is ready; `None` when the signal came before.
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

        // Before the engines, which take a while.
        if up.api_port != 0 {
            TcpListener::bind(("127.0.0.1", up.api_port))
                .with_context(|| format!("port {}; --api-port chooses another", up.api_port))?;
        }
        let engines = engines::start(&data_dir, &logs)?;
        if stopping.is_set() {
            return Ok(None);
        }
        let mut environment = engines.environment();
        environment.extend(default("VIDP_S3_BUCKET", "vidp"));
        environment.extend(default("VIDP_DRAIN_SECONDS", DRAIN_SECONDS));
        // The trace of an error that is no panic would push the reason out of the log's tail.
        environment.extend(default("RUST_LIB_BACKTRACE", "0"));
        let scratch = folder(&data_dir.join("scratch"))?;
        environment.push(("VIDP_SCRATCH_DIR", scratch.display().to_string()));

        let start = Instant::now();
        let mut api_environment = engines.api_environment();
        api_environment.extend(default("VIDP_MONGODB_DATABASE", "vidp"));
        // Nobody but this machine reaches it.
        api_environment.extend(default("VIDP_AUTH", "off"));
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
        };
        let api = Service::start(plan, &logs)?;
        let workers = worker_plans(up, &environment, &speech)
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

    /// Where everything is kept; absolute.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Starts again what ends, until the signal.
    pub fn watch(&mut self, stopping: &Stopping) {
        while !stopping.is_set() {
            let mut changed = self.engines.revive();
            for service in self.services() {
                changed |= service.revive();
            }
            if changed && let Err(error) = self.write_state() {
                say!("up.json: {error:#}");
            }
            thread::sleep(LOOK);
        }
    }

    /// Stops everything: the workers together, the API, then the engines.
    pub fn stop(&mut self) {
        state::remove(&self.data_dir);
        for worker in &mut self.workers {
            worker.daemon().terminate();
        }
        let start = Instant::now();
        for service in self.services() {
            service
                .daemon()
                .stop(GRACE.saturating_sub(start.elapsed()).max(LOOK));
        }
        self.engines.stop();
    }

    /// Waits for every service; false when the signal came first.
    fn wait_ready(&mut self, stopping: &Stopping, start: Instant) -> Result<bool> {
        for service in self.services() {
            if !service.wait_ready(READY, || stopping.is_set())? {
                return Ok(false);
            }
            engines::up(service.name(), service.url(), start);
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
                log: service.daemon().log().to_owned(),
            })
            .collect();
        let state = State {
            url: self.url(),
            pid: std::process::id(),
            data_dir: self.data_dir.clone(),
            environment: self.known_environment(),
            engines: self.engines.states(),
            services,
        };
        state.write().context("write up.json")
    }

    /// What was given to the services, and what they have from our own environment.
    fn known_environment(&self) -> serde_json::Map<String, serde_json::Value> {
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
    environment: &'a [(&'static str, String)],
    speech: &'a [(&'static str, String)],
) -> impl Iterator<Item = Plan> + 'a {
    let lang = |role: &str| vec!["--role".to_owned(), role.to_owned()];
    [
        ("detect", "worker-lang", lang("detect"), up.detect_workers),
        ("scale", "worker-scale", Vec::new(), up.scale_workers),
        ("subtitle", "worker-lang", lang("subtitle"), up.subtitle_workers),
    ]
    .into_iter()
    .flat_map(move |(stage, program, args, count)| {
        (1..=count).map(move |i| {
            let port = free_port();
            Plan {
                name: format!("{stage}-{i}"),
                program,
                args: args.clone(),
                environment: with_port([environment, speech].concat(), port),
                port,
            }
        })
    })
}

fn with_port(mut environment: Vec<(&'static str, String)>, port: u16) -> Vec<(&'static str, String)> {
    environment.push(("VIDP_BIND", format!("127.0.0.1:{port}")));
    environment
}

/// Where the speech models are, unless the environment says so already.
fn speech_models(chosen: Option<&str>) -> Result<Vec<(&'static str, String)>> {
    let mut found = Vec::new();
    let mut found_at = |variable, path: PathBuf| found.push((variable, path.display().to_string()));
    match chosen {
        Some(model) => {
            let path = model::find(model)?;
            model::check(&path)?;
            found_at("VIDP_WHISPER_MODEL", path);
        }
        None if env::var_os("VIDP_WHISPER_MODEL").is_some() => {}
        None => found_at("VIDP_WHISPER_MODEL", model::find(model::DEFAULT)?),
    }
    if env::var_os("VIDP_VAD_MODEL").is_none() {
        let path = find_model(model::VAD_MODEL).with_context(|| {
            format!(
                "{} is not in .engines/models: run `make setup` and `vidp model make`, or set VIDP_VAD_MODEL",
                model::VAD_MODEL
            )
        })?;
        found_at("VIDP_VAD_MODEL", path);
    }
    Ok(found)
}

/// A setting that the user's own environment overrides.
fn default(name: &'static str, value: &str) -> Option<(&'static str, String)> {
    env::var_os(name).is_none().then(|| (name, value.to_owned()))
}

/// Makes a folder, and gives its absolute path: the processes may have other working directories.
fn folder(path: &Path) -> Result<PathBuf> {
    fs::create_dir_all(path)
        .and_then(|()| fs::canonicalize(path))
        .with_context(|| format!("create {}", path.display()))
}
