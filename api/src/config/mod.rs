//! Settings of the API.

mod sources;

pub use sources::Allowed;

use anyhow::{Result, ensure};
use axum::http::HeaderValue;
use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use std::{net::SocketAddr, time::Duration};
use vidp_common::config::{self, LogConfig, NatsConfig, S3Config, ServiceCommand};

/// Shortest secret that is taken for one.
const MIN_SECRET: usize = 32;

/// How the API knows who asks.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// By API keys
    Keys,
    /// Not at all: everybody may do everything
    Off,
}

/// VidP's REST API: uploads, jobs, outputs.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct ApiConfig {
    #[command(flatten)]
    pub nats: NatsConfig,
    #[command(flatten)]
    pub s3: S3Config,
    #[command(flatten)]
    pub log: LogConfig,
    /// Address to listen on
    #[arg(long, env = "VIDP_BIND", default_value = "0.0.0.0:8000")]
    pub bind: SocketAddr,
    /// Who is let in: `keys` asks for an API key; `off` lets everybody do everything, for use on one's own machine
    #[arg(long, env = "VIDP_AUTH", value_enum, default_value = "keys")]
    pub auth: AuthMode,
    /// Take VIDP_AUTH=off on an address that other machines reach
    #[arg(long, env = "VIDP_AUTH_OFF_BEYOND_LOOPBACK")]
    pub auth_off_beyond_loopback: bool,
    /// Secret under which API keys are hashed; 32 characters at least, the same in every replica
    #[arg(long, env = "VIDP_KEY_SECRET", default_value = "", hide_env_values = true)]
    pub key_secret: String,
    /// A key with the scope admin, `vidp_<32 hex digits>_<48 hex digits>`, to make the first ones with; none when empty
    #[arg(long, env = "VIDP_ADMIN_KEY", default_value = "", hide_env_values = true)]
    pub admin_key: String,
    /// Requests a minute with one key, at each replica; 0 is no limit
    #[arg(long, env = "VIDP_REQUESTS_PER_MINUTE", default_value_t = 1200)]
    pub requests_per_minute: u32,
    /// Keys that are no good a minute from one address, at each replica; 0 is no limit
    #[arg(long, env = "VIDP_FAILED_KEYS_PER_MINUTE", default_value_t = 60)]
    pub failed_keys_per_minute: u32,
    /// Uploads of one tenant at the same time, at each replica; 0 is no limit
    #[arg(long, env = "VIDP_UPLOADS_PER_TENANT", default_value_t = 32)]
    pub uploads_per_tenant: usize,
    /// Jobs of one tenant that have not ended; 0 is no limit
    #[arg(long, env = "VIDP_OPEN_JOBS_PER_TENANT", default_value_t = 20_000)]
    pub open_jobs_per_tenant: u64,
    /// GB (1,000,000,000 bytes) in the sources of such jobs; 0 is no limit
    #[arg(long, env = "VIDP_OPEN_GB_PER_TENANT", default_value_t = 0)]
    pub open_gb_per_tenant: u64,
    /// Connections at the same time; more wait
    #[arg(long, env = "VIDP_MAX_CONNECTIONS", default_value_t = 4096)]
    pub max_connections: usize,
    /// Networks of proxies whose X-Forwarded-For is believed, for example 10.0.0.0/8
    #[arg(long, env = "VIDP_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may use the API from a browser (CORS), for example `https://app.example.com`; none by default
    #[arg(long, env = "VIDP_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<HeaderValue>,
    /// Address of MongoDB; a replica set, for change streams
    #[arg(
        long,
        env = "VIDP_MONGODB_URL",
        default_value = "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        hide_env_values = true
    )]
    pub mongodb_url: String,
    /// Database name
    #[arg(long, env = "VIDP_MONGODB_DATABASE", default_value = "vidp")]
    pub mongodb_database: String,
    /// Largest upload in MB (1,000,000 bytes)
    #[arg(long, env = "VIDP_MAX_UPLOAD_MB", default_value_t = 500)]
    pub max_upload_mb: u64,
    /// Slowest upload in KiB per second, over 30 s
    #[arg(long, env = "VIDP_MIN_UPLOAD_KIB_PER_SECOND", default_value_t = 4)]
    pub min_upload_kib_per_second: u64,
    /// Deliveries of a task after which its stage fails
    #[arg(long, env = "VIDP_ATTEMPT_LIMIT", default_value_t = 5)]
    pub attempt_limit: u32,
    /// Hours a stage may wait and run before nobody wants it any more
    #[arg(long, env = "VIDP_DEADLINE_HOURS", default_value_t = 168)]
    pub deadline_hours: u64,
    /// Days that an ended job and its files are kept
    #[arg(long, env = "VIDP_RETENTION_DAYS", default_value_t = 30)]
    pub retention_days: u64,
    /// Most days that a client may ask for; more is cut to this
    #[arg(long, env = "VIDP_MAX_RETENTION_DAYS", default_value_t = 365)]
    pub max_retention_days: u64,
    /// Seconds after a job's end at which objects of losing attempts are removed; longer than any attempt may go on
    #[arg(long, env = "VIDP_TIDY_SECONDS", default_value_t = 86_400)]
    pub tidy_seconds: u64,
    /// Seconds between two rounds of the sweeper
    #[arg(long, env = "VIDP_SWEEP_SECONDS", default_value_t = 5)]
    pub sweep_seconds: u64,
    /// Seconds without a sign of life after which a stage is looked for in the queue
    #[arg(long, env = "VIDP_STALE_SECONDS", default_value_t = 60)]
    pub stale_seconds: u64,
    /// Networks that URLs of clients may lead to although they are not public, as `10.1.0.0/16,fd00::/8`
    #[arg(long, env = "VIDP_OUTBOUND_ALLOW", value_delimiter = ',')]
    pub outbound_allow: Vec<ipnet::IpNet>,
    /// Address of the object store for clients, in presigned URLs; VIDP_S3_ENDPOINT by default
    #[arg(long, env = "VIDP_S3_PUBLIC_ENDPOINT", default_value = "")]
    pub s3_public_endpoint: String,
    /// Seconds that presigned URLs for uploads are good and the upload is waited for, and that a resumable upload is kept
    /// without another request; a week at most
    #[arg(long, env = "VIDP_DIRECT_UPLOAD_SECONDS", default_value_t = 86_400)]
    pub direct_upload_seconds: u32,
    /// Objects that jobs may be made of by reference: `bucket` or `bucket/prefix`; {tenant} stands for the tenant's name
    #[arg(long, env = "VIDP_SOURCE_BUCKETS", value_delimiter = ',')]
    pub source_buckets: Vec<Allowed>,
    /// Fetch sources from https URLs that clients name
    #[arg(long, env = "VIDP_FETCH_URLS")]
    pub fetch_urls: bool,
    /// Sources fetched at the same time
    #[arg(long, env = "VIDP_FETCHES", default_value_t = 4)]
    pub fetches: usize,
    /// Seconds of silence after which an event stream gets a comment, so that no proxy cuts it
    #[arg(long, env = "VIDP_EVENT_HEARTBEAT_SECONDS", default_value_t = 15)]
    pub event_heartbeat_seconds: u64,
    /// Seconds after which a webhook that failed is tried again, one number a try; by Standard Webhooks unless set
    #[arg(
        long,
        env = "VIDP_WEBHOOK_RETRY_SECONDS",
        value_delimiter = ',',
        default_value = "5,300,1800,7200,18000,36000,50400,72000,86400"
    )]
    pub webhook_retry_seconds: Vec<u64>,
    /// Something else than to serve
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,
}

impl ApiConfig {
    /// The object store as clients reach it.
    pub fn public_s3(&self) -> S3Config {
        let mut s3 = self.s3.clone();
        if !self.s3_public_endpoint.is_empty() {
            s3.s3_endpoint.clone_from(&self.s3_public_endpoint);
        }
        s3
    }

    /// Refuses settings that contradict each other.
    pub fn validate(&self) -> Result<()> {
        self.nats.validate()?;
        self.s3.validate()?;
        config::no_placeholder("VIDP_MONGODB_URL", &self.mongodb_url)?;
        config::no_placeholder("VIDP_KEY_SECRET", &self.key_secret)?;
        config::no_placeholder("VIDP_ADMIN_KEY", &self.admin_key)?;
        ensure!(
            self.auth == AuthMode::Off || self.key_secret.len() >= MIN_SECRET,
            "VIDP_KEY_SECRET needs {MIN_SECRET} characters at least: `openssl rand -hex 32` makes some. On your own \
             machine VIDP_AUTH=off does without keys"
        );
        ensure!(
            self.auth == AuthMode::Keys || self.bind.ip().is_loopback() || self.auth_off_beyond_loopback,
            "VIDP_AUTH=off lets everybody who reaches {} do everything: bind to 127.0.0.1 (VIDP_BIND), or say that \
             you mean it with VIDP_AUTH_OFF_BEYOND_LOOPBACK=true",
            self.bind
        );
        ensure!(
            self.max_upload_mb > 0,
            "VIDP_MAX_UPLOAD_MB is 0: nothing could be uploaded"
        );
        ensure!(
            self.attempt_limit > 0,
            "VIDP_ATTEMPT_LIMIT is 0: no task would ever run"
        );
        ensure!(
            self.max_connections > 0,
            "VIDP_MAX_CONNECTIONS is 0: nobody could connect"
        );
        ensure!(
            self.cors_origins.iter().all(|origin| origin != "*"),
            "VIDP_CORS_ORIGINS is a list of origins; * would let every page use the keys in its visitor's hands"
        );
        ensure!(
            (1..=604_800).contains(&self.direct_upload_seconds),
            "VIDP_DIRECT_UPLOAD_SECONDS must be 1 to 604800: S3 signs for no longer"
        );
        ensure!(self.fetches > 0, "VIDP_FETCHES is 0: no source would be fetched");
        let own = |allowed: &Allowed| allowed.is_bucket(&self.s3.s3_bucket);
        ensure!(
            !self.source_buckets.iter().any(own),
            "VIDP_SOURCE_BUCKETS names VIDP_S3_BUCKET, which has the files of all tenants"
        );
        ensure!(self.sweep_seconds > 0, "VIDP_SWEEP_SECONDS must be at least 1");
        ensure!(
            self.max_retention_days >= self.retention_days,
            "VIDP_RETENTION_DAYS ({}) is longer than VIDP_MAX_RETENTION_DAYS ({})",
            self.retention_days,
            self.max_retention_days
        );
        ensure!(
            self.event_heartbeat_seconds > 0,
            "VIDP_EVENT_HEARTBEAT_SECONDS must be at least 1"
        );
        ensure!(
            self.stale_seconds > self.sweep_seconds,
            "VIDP_STALE_SECONDS ({}) must be longer than VIDP_SWEEP_SECONDS ({})",
            self.stale_seconds,
            self.sweep_seconds
        );
        Ok(())
    }

    /// Largest upload in bytes.
    pub fn max_upload(&self) -> u64 {
        self.max_upload_mb.saturating_mul(1_000_000)
    }

    /// How long an upload in several requests is waited for.
    pub fn direct_upload(&self) -> Duration {
        Duration::from_secs(self.direct_upload_seconds.into())
    }

    /// How long an ended job is kept.
    pub fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_days.saturating_mul(24 * 3600))
    }

    /// How long a client may want an ended job kept.
    pub fn max_retention(&self) -> Duration {
        Duration::from_secs(self.max_retention_days.saturating_mul(24 * 3600))
    }

    /// When objects of losing attempts are removed.
    pub fn tidy(&self) -> Duration {
        Duration::from_secs(self.tidy_seconds)
    }

    /// How long a stage may wait and run.
    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_hours.saturating_mul(3600))
    }

    /// After how long without a sign of life a stage is looked for.
    pub fn stale(&self) -> Duration {
        Duration::from_secs(self.stale_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expected: Option<&str>) {
        let config = ApiConfig::try_parse_from([&["vidp-api"], args].concat()).unwrap();
        match (config.validate(), expected) {
            (Ok(()), None) => {}
            (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
            (result, _) => panic!("{args:?}: {result:?}"),
        }
    }

    #[test]
    fn keys_need_a_secret_of_ones_own() {
        let secret = "--key-secret=0123456789abcdef0123456789abcdef";
        check(&[], Some("VIDP_KEY_SECRET"));
        check(&["--key-secret=short"], Some("VIDP_KEY_SECRET"));
        check(&["--key-secret=replace-me"], Some("make-secrets.py"));
        check(&[secret], None);
        check(&[secret, "--admin-key=replace-me"], Some("VIDP_ADMIN_KEY"));
    }

    #[test]
    fn an_open_api_is_for_its_own_machine() {
        check(&["--auth=off"], Some("VIDP_AUTH_OFF_BEYOND_LOOPBACK"));
        check(&["--auth=off", "--bind=127.0.0.1:8000"], None);
        check(&["--auth=off", "--bind=[::1]:8000"], None);
        check(&["--auth=off", "--auth-off-beyond-loopback"], None);
    }
}
