//! Settings shared by the services. Every setting is a flag with an environment variable; nothing else reads the
//! environment.

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Where the message broker is.
#[derive(Args, Clone, Debug)]
pub struct NatsConfig {
    /// Address of NATS, `nats://host:port`; several separated by commas
    #[arg(
        long,
        env = "VIDP_NATS_URL",
        default_value = "nats://127.0.0.1:4222",
        hide_env_values = true
    )]
    pub nats_url: String,
    /// User of NATS; none when empty
    #[arg(long, env = "VIDP_NATS_USER", default_value = "")]
    pub nats_user: String,
    /// Its password
    #[arg(long, env = "VIDP_NATS_PASSWORD", default_value = "", hide_env_values = true)]
    pub nats_password: String,
    /// Replicas of each stream: the number of servers in the NATS cluster, 1, 3 or 5
    #[arg(long, env = "VIDP_STREAM_REPLICAS", default_value_t = 1)]
    pub stream_replicas: usize,
    /// Lease of a task in seconds: a worker that is silent for so long loses it to another
    #[arg(long, env = "VIDP_ACK_WAIT_SECONDS", default_value_t = 30)]
    pub ack_wait_seconds: u64,
}

impl NatsConfig {
    /// The lease of a task.
    pub fn ack_wait(&self) -> Duration {
        Duration::from_secs(self.ack_wait_seconds)
    }

    /// Refuses the password of the sample files.
    pub fn validate(&self) -> Result<()> {
        no_placeholder("VIDP_NATS_PASSWORD", &self.nats_password)
    }
}

/// Where the object store is.
#[derive(Args, Clone, Debug)]
pub struct S3Config {
    /// Address of the S3-compatible store
    #[arg(long, env = "VIDP_S3_ENDPOINT", default_value = "http://127.0.0.1:9000")]
    pub s3_endpoint: String,
    /// Region name; most S3-compatible servers take any
    #[arg(long, env = "VIDP_S3_REGION", default_value = "us-east-1")]
    pub s3_region: String,
    /// Bucket; the API makes it when it is not there
    #[arg(long, env = "VIDP_S3_BUCKET", default_value = "vidp")]
    pub s3_bucket: String,
    /// Access key
    #[arg(long, env = "VIDP_S3_ACCESS_KEY", default_value = "", hide_env_values = true)]
    pub s3_access_key: String,
    /// Secret key
    #[arg(long, env = "VIDP_S3_SECRET_KEY", default_value = "", hide_env_values = true)]
    pub s3_secret_key: String,
}

impl S3Config {
    /// Refuses the keys of the sample files.
    pub fn validate(&self) -> Result<()> {
        no_placeholder("VIDP_S3_ACCESS_KEY", &self.s3_access_key)?;
        no_placeholder("VIDP_S3_SECRET_KEY", &self.s3_secret_key)
    }
}

/// What stands for a secret in the sample files of `k8s/` and Compose.
const PLACEHOLDER: &str = "replace-me";

/// Refuses a secret that everybody knows.
pub fn no_placeholder(name: &str, value: &str) -> Result<()> {
    ensure!(
        !value.contains(PLACEHOLDER),
        "{name} still has the sample's value; make secrets of your own with scripts/make-secrets.py"
    );
    Ok(())
}

/// What to tell of the process's own doings.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// Log format: `text` or `json`
    #[arg(long = "log", env = "VIDP_LOG", default_value = "text", value_parser = ["text", "json"])]
    pub format: String,
    /// What to log, for example `info` or `info,async_nats=debug`
    #[arg(
        long = "log-filter",
        env = "VIDP_LOG_FILTER",
        default_value = "info,async_nats=warn"
    )]
    pub filter: String,
    /// OpenTelemetry collector (OTLP over HTTP, `http://host:4318`) to send traces to; none without it
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Name of this service in traces; the program's own by default
    #[arg(long, env = "OTEL_SERVICE_NAME")]
    pub service_name: Option<String>,
    /// Die at this step; for tests
    #[cfg(debug_assertions)]
    #[arg(long, env = "VIDP_CRASH_AT", hide = true)]
    pub crash_at: Option<String>,
}

/// What a service does besides serving.
#[derive(Subcommand, Clone, Debug)]
pub enum ServiceCommand {
    /// Ask the service that runs on this machine how it is; for containers without a shell
    Healthcheck {
        /// Ask whether it takes work, and not only whether it is alive
        #[arg(long)]
        ready: bool,
    },
}

/// Settings of a worker.
#[derive(Args, Clone, Debug)]
pub struct WorkerConfig {
    /// Message broker.
    #[command(flatten)]
    pub nats: NatsConfig,
    /// Object store.
    #[command(flatten)]
    pub s3: S3Config,
    /// Logs.
    #[command(flatten)]
    pub log: LogConfig,
    /// Address of `/health`, `/ready` and `/metrics`; the stage's own port by default
    #[arg(long, env = "VIDP_BIND")]
    pub bind: Option<SocketAddr>,
    /// Tasks worked on at the same time
    #[arg(long, env = "VIDP_SLOTS", default_value_t = 1)]
    pub slots: usize,
    /// Seconds that one attempt may take
    #[arg(long, env = "VIDP_TASK_TIMEOUT_SECONDS", default_value_t = 7200)]
    pub task_timeout_seconds: u64,
    /// Seconds after SIGTERM in which running tasks may finish, before they are handed to another worker
    #[arg(long, env = "VIDP_DRAIN_SECONDS", default_value_t = 20)]
    pub drain_seconds: u64,
    /// Seconds after SIGTERM at which the platform kills this process
    #[arg(long, env = "VIDP_GRACE_SECONDS", default_value_t = 30)]
    pub grace_seconds: u64,
    /// Folder for temporary files
    #[arg(long, env = "VIDP_SCRATCH_DIR", default_value = "/tmp/vidp")]
    pub scratch_dir: PathBuf,
}

impl WorkerConfig {
    /// Where the probes of a stage with this port listen.
    pub fn address(&self, port: u16) -> SocketAddr {
        self.bind.unwrap_or(SocketAddr::from(([0, 0, 0, 0], port)))
    }

    /// How long one attempt may take.
    pub fn task_timeout(&self) -> Duration {
        Duration::from_secs(self.task_timeout_seconds)
    }

    /// How long running tasks may go on after SIGTERM.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// Refuses settings that contradict each other, before any work is taken.
    pub fn validate(&self) -> Result<()> {
        self.nats.validate()?;
        self.s3.validate()?;
        let ack_wait = self.nats.ack_wait_seconds;
        ensure!(
            self.slots >= 1,
            "VIDP_SLOTS must be at least 1: no task would ever run"
        );
        ensure!(
            ack_wait >= 3,
            "VIDP_ACK_WAIT_SECONDS is {ack_wait}: a lease below 3 s is lost to a single late heartbeat"
        );
        ensure!(
            self.task_timeout_seconds > ack_wait,
            "VIDP_TASK_TIMEOUT_SECONDS ({}) must be longer than the lease, VIDP_ACK_WAIT_SECONDS ({ack_wait})",
            self.task_timeout_seconds
        );
        ensure!(
            self.drain_seconds + 5 <= self.grace_seconds,
            "VIDP_DRAIN_SECONDS ({}) must end 5 s before VIDP_GRACE_SECONDS ({}), or the platform kills the worker \
             before it has handed its tasks over",
            self.drain_seconds,
            self.grace_seconds
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        worker: WorkerConfig,
    }

    fn check(args: &[&str], expected: Option<&str>) {
        let cli = Cli::try_parse_from([&["worker"], args].concat()).unwrap();
        match (cli.worker.validate(), expected) {
            (Ok(()), None) => {}
            (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
            (result, _) => panic!("{args:?}: {result:?}"),
        }
    }

    #[test]
    fn contradicting_settings_are_refused() {
        check(&[], None);
        check(&["--slots", "0"], Some("VIDP_SLOTS"));
        check(&["--ack-wait-seconds", "1"], Some("lease"));
        check(
            &["--task-timeout-seconds", "30"],
            Some("VIDP_TASK_TIMEOUT_SECONDS"),
        );
        check(&["--drain-seconds", "26"], Some("VIDP_GRACE_SECONDS"));
        check(&["--drain-seconds", "540", "--grace-seconds", "600"], None);
    }

    #[test]
    fn secrets_of_the_sample_files_are_refused() {
        check(&["--nats-password", "replace-me"], Some("VIDP_NATS_PASSWORD"));
        check(&["--s3-secret-key", "replace-me-too"], Some("VIDP_S3_SECRET_KEY"));
        check(&["--s3-access-key", "vidp"], None);
    }
}
