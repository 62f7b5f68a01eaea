//! A running system, shared by the tests that do not disturb it.

use reqwest::{Client, StatusCode, multipart};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};
use vidp_engines::Daemon;

/// Upper bound for every step of a test: a transcode on two busy cores takes less.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

/// `vidp up` in a temporary folder. Dropping it stops everything.
pub(crate) struct Stack {
    daemon: Mutex<Daemon>,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
}

/// `vidp up` as a command; port 0 means any free one.
pub(crate) fn up(folder: &Path, api_port: u16) -> Command {
    let mut command = vidp();
    command
        .args(["up", "--api-port", &api_port.to_string(), "--data-dir"])
        .arg(folder);
    // A short lease: the task of a killed worker is redelivered soon.
    command
        .env("VIDP_ACK_WAIT_SECONDS", "5")
        .env("VIDP_SWEEP_SECONDS", "1");
    command
}

/// The program under test, without the settings in the environment of the test run.
pub(crate) fn vidp() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vidp"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("VIDP_") && name != "VIDP_ENGINES_DIR" && !name.ends_with("_MODEL") {
            command.env_remove(&*name);
        }
    }
    // Positions of interrupted uploads are stored there.
    command.env("XDG_STATE_HOME", own_folder().join("state"));
    command
}

impl Stack {
    pub(crate) fn start(folder: &Path) -> Stack {
        Stack::start_as(folder, up(folder, 0))
    }

    /// Starts a command from [`up`] with additional environment variables.
    pub(crate) fn start_as(folder: &Path, command: Command) -> Stack {
        std::fs::create_dir_all(folder).unwrap();
        let mut daemon = Daemon::spawn("vidp up", command, &folder.join("up.log")).unwrap();
        let state = folder.join("up.json");
        daemon.wait_until(LIMIT, || state.exists()).unwrap();
        let state: Value = serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap();
        Stack {
            daemon: Mutex::new(daemon),
            url: state["url"].as_str().unwrap().to_owned(),
            folder: folder.to_owned(),
        }
    }

    /// Sends SIGTERM and returns the exit code.
    pub(crate) fn stop(&self) -> Option<i32> {
        let mut daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        daemon.stop(Duration::from_secs(60)).code()
    }

    /// Sends SIGKILL, so that the program cannot stop its children itself.
    pub(crate) fn kill(&self) {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.join("up.json")).unwrap()).unwrap()
    }

    /// The process ids of all engines and services.
    pub(crate) fn pids(&self) -> Vec<u64> {
        let state = self.state();
        let parts = ["engines", "services"].map(|kind| state[kind].as_array().unwrap().clone());
        parts
            .iter()
            .flatten()
            .map(|part| part["pid"].as_u64().unwrap())
            .collect()
    }

    /// The service with this name, for example `scale-1`.
    pub(crate) fn service(&self, name: &str) -> Value {
        let state = self.state();
        let mut services = state["services"].as_array().unwrap().iter();
        services.find(|service| service["name"] == name).unwrap().clone()
    }

    pub(crate) fn jobs_url(&self) -> String {
        format!("{}/api/v1/jobs", self.url)
    }

    /// Uploads a file under a name and returns the job.
    pub(crate) async fn submit(&self, path: &Path, name: &str, options: &Value) -> Value {
        let bytes = std::fs::read(path).unwrap();
        let file = multipart::Part::bytes(bytes)
            .file_name(name.to_owned())
            .mime_str("video/mp4")
            .unwrap();
        let form = multipart::Form::new()
            .text("options", options.to_string())
            .part("file", file);
        let answer = http().post(self.jobs_url()).multipart(form).send().await.unwrap();
        let status = answer.status();
        let job: Value = answer.json().await.unwrap();
        assert_eq!(status, StatusCode::ACCEPTED, "{job}");
        job
    }

    pub(crate) async fn job(&self, id: &Value) -> Value {
        let url = format!("{}/{}", self.jobs_url(), id.as_str().unwrap());
        http().get(url).send().await.unwrap().json().await.unwrap()
    }

    /// Polls the job, as a client does, until the condition holds.
    pub(crate) async fn until(&self, id: &Value, condition: impl Fn(&Value) -> bool) -> Value {
        let poll = async {
            let url = format!("{}/{}?wait=1", self.jobs_url(), id.as_str().unwrap());
            loop {
                let job: Value = http().get(&url).send().await.unwrap().json().await.unwrap();
                if condition(&job) {
                    return job;
                }
            }
        };
        match tokio::time::timeout(LIMIT, poll).await {
            Ok(job) => job,
            Err(_) => panic!("too late: {:#}", self.job(id).await),
        }
    }

    /// Waits until the job has ended.
    pub(crate) async fn ended(&self, id: &Value) -> Value {
        let ended =
            |job: &Value| !["uploading", "queued", "running"].contains(&job["status"].as_str().unwrap());
        self.until(id, ended).await
    }

    /// Submits a file and waits for the end.
    pub(crate) async fn run(&self, path: &Path, options: &Value) -> Value {
        let job = self.submit(path, "clip.mp4", options).await;
        self.ended(&job["id"]).await
    }

    /// Downloads an output.
    pub(crate) async fn output(&self, job: &Value, stage: &str, name: &str) -> Vec<u8> {
        let outputs = job["stages"][stage]["outputs"].as_array().unwrap();
        let output = outputs
            .iter()
            .find(|output| output["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {job:#}"));
        let url = format!("{}{}", self.url, output["url"].as_str().unwrap());
        let answer = http().get(url).send().await.unwrap();
        assert_eq!(
            answer.headers()["content-type"].to_str().unwrap(),
            output["content_type"].as_str().unwrap()
        );
        let bytes = answer.bytes().await.unwrap().to_vec();
        assert_eq!(bytes.len() as u64, output["size"].as_u64().unwrap());
        bytes
    }

    /// Number of tasks in progress in a worker, by its own metrics.
    pub(crate) async fn running(&self, service: &str) -> f64 {
        let service = self.service(service);
        let text = http()
            .get(service["metrics"].as_str().unwrap())
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("vidp_tasks_running"))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

/// A new client: each test has its own runtime, and a client belongs to one runtime.
pub(crate) fn http() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

fn own_folder() -> PathBuf {
    std::env::temp_dir().join(format!("vidp-system-{}", std::process::id()))
}

/// The system that tests share, stopped when the test process ends.
pub(crate) fn shared() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| {
        let folder = own_folder();
        // SAFETY: the function has the signature that atexit wants.
        unsafe { libc::atexit(stop_shared) };
        FOLDER.set(folder.clone()).unwrap();
        Stack::start(&folder)
    });
    extern "C" fn stop_shared() {
        if let Some(stack) = STACK.get() {
            stack.stop();
        }
        if let Some(folder) = FOLDER.get() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    STACK.get().unwrap()
}

/// Waits until the condition holds.
pub(crate) async fn until(limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(limit, wait)
        .await
        .expect("the condition holds in time");
}
