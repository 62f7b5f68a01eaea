//! Settings shared by the services. Every setting is a flag with an environment variable. No other code reads the
//! environment.

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Connection to the message broker.
#[derive(Args, Clone, Debug)]
pub struct NatsConfig {
    /// Address of NATS, `nats://host:port`; separate several with commas
    #[arg(
        long,
        env = "VIDP_NATS_URL",
        default_value = "nats://127.0.0.1:4222",
        hide_env_values = true
    )]
    pub nats_url: String,
    /// User name at NATS; empty for a connection without a user
    #[arg(long, env = "VIDP_NATS_USER", default_value = "")]
    pub nats_user: String,
    /// Password at NATS
    #[arg(long, env = "VIDP_NATS_PASSWORD", default_value = "", hide_env_values = true)]
    pub nats_password: String,
    /// Replicas of each stream: the number of servers in the NATS cluster, 1, 3 or 5
    #[arg(long, env = "VIDP_STREAM_REPLICAS", default_value_t = 1)]
    pub stream_replicas: usize,
    /// Lease of a task in seconds: after this time without a heartbeat the broker gives the task to another worker
    #[arg(long, env = "VIDP_ACK_WAIT_SECONDS", default_value_t = 30)]
    pub ack_wait_seconds: u64,
}

impl NatsConfig {
    /// The lease of a task: the broker delivers it again after this time without a heartbeat.
    pub fn ack_wait(&self) -> Duration {
        Duration::from_secs(self.ack_wait_seconds)
    }

    /// Refuses the password of the sample files.
    pub fn validate(&self) -> Result<()> {
        no_placeholder("VIDP_NATS_PASSWORD", &self.nats_password)
    }
}

/// Connection to the object store.
#[derive(Args, Clone, Debug)]
pub struct S3Config {
    /// Address of the S3-compatible store
    #[arg(long, env = "VIDP_S3_ENDPOINT", default_value = "http://127.0.0.1:9000")]
    pub s3_endpoint: String,
    /// Region name; most S3-compatible servers accept any
    #[arg(long, env = "VIDP_S3_REGION", default_value = "us-east-1")]
    pub s3_region: String,
    /// Bucket; the API creates it if it does not exist
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

/// Placeholder of a secret in the sample files of `k8s/` and Compose.
const PLACEHOLDER: &str = "replace-me";

/// Refuses a secret that still contains the placeholder of the sample files, which is public.
///
/// The error names the setting `name`.
pub fn no_placeholder(name: &str, value: &str) -> Result<()> {
    ensure!(
        !value.contains(PLACEHOLDER),
        "{name} still has the placeholder of the sample files; create secrets with scripts/make-secrets.py"
    );
    Ok(())
}

/// Settings of logs and traces.
#[derive(Args, Clone, Debug)]
pub struct LogConfig {
    /// Log format: `text` or `json`
    #[arg(long = "log", env = "VIDP_LOG", default_value = "text", value_parser = ["text", "json"])]
    pub format: String,
    /// Log filter, for example `info` or `info,async_nats=debug`
    #[arg(
        long = "log-filter",
        env = "VIDP_LOG_FILTER",
        default_value = "info,async_nats=warn"
    )]
    pub filter: String,
    /// OpenTelemetry collector that receives traces (OTLP over HTTP, `http://host:4318`); without it none are sent
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Name of this service in traces; by default the name of the program
    #[arg(long, env = "OTEL_SERVICE_NAME")]
    pub service_name: Option<String>,
    /// Abort the process at this step; for tests
    #[cfg(debug_assertions)]
    #[arg(long, env = "VIDP_CRASH_AT", hide = true)]
    pub crash_at: Option<String>,
}

/// Subcommands of a service.
#[derive(Subcommand, Clone, Debug)]
pub enum ServiceCommand {
    /// Check the service that runs on this machine; for containers without a shell
    Healthcheck {
        /// Check that the service is ready for work, not only that it is alive
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
    /// Address of `/health`, `/ready` and `/metrics`; by default all interfaces at the port of the stage
    #[arg(long, env = "VIDP_BIND")]
    pub bind: Option<SocketAddr>,
    /// Number of tasks that run at the same time
    #[arg(long, env = "VIDP_SLOTS", default_value_t = 1)]
    pub slots: usize,
    /// Maximum seconds of one attempt
    #[arg(long, env = "VIDP_TASK_TIMEOUT_SECONDS", default_value_t = 7200)]
    pub task_timeout_seconds: u64,
    /// Seconds after SIGTERM in which running tasks may finish; the rest are then handed to other workers
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
    /// Address of the probes; `port` is the stage's default port.
    pub fn address(&self, port: u16) -> SocketAddr {
        self.bind.unwrap_or(SocketAddr::from(([0, 0, 0, 0], port)))
    }

    /// Maximum duration of one attempt.
    pub fn task_timeout(&self) -> Duration {
        Duration::from_secs(self.task_timeout_seconds)
    }

    /// Time for running tasks to finish after SIGTERM.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// Refuses settings that contradict each other. Call it before the first task is pulled.
    pub fn validate(&self) -> Result<()> {
        self.nats.validate()?;
        self.s3.validate()?;
        let ack_wait = self.nats.ack_wait_seconds;
        ensure!(
            self.slots >= 1,
            "VIDP_SLOTS must be at least 1: without a slot no task runs"
        );
        ensure!(
            ack_wait >= 3,
            "VIDP_ACK_WAIT_SECONDS is {ack_wait}: below 3 s a single late heartbeat loses the lease"
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
