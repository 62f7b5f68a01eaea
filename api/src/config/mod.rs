//! Settings of the API.

mod frames;
mod sources;

pub(crate) use frames::FrameAncestors;
pub(crate) use sources::Allowed;

use anyhow::{Result, ensure};
use axum::http::HeaderValue;
use clap::{Parser, ValueEnum};
use ipnet::IpNet;
use std::{net::SocketAddr, time::Duration};
use vidp_common::{
    config::{self, LogConfig, NatsConfig, S3Config, ServiceCommand},
    service::Connections,
};
use vidp_pipeline::{outbound::Networks, quota::Limits};

/// Shortest accepted `VIDP_KEY_SECRET`, in characters.
const MIN_SECRET: usize = 32;

/// How the API authenticates requests.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// Every request needs an API key
    Keys,
    /// Every request is accepted, with all rights
    Off,
}

/// VidP's REST API: uploads, jobs and outputs.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct ApiConfig {
    /// Settings of NATS.
    #[command(flatten)]
    pub nats: NatsConfig,
    /// Settings of the object store.
    #[command(flatten)]
    pub s3: S3Config,
    /// Settings of the log.
    #[command(flatten)]
    pub log: LogConfig,
    /// Address to listen on
    #[arg(long, env = "VIDP_BIND", default_value = "0.0.0.0:8000")]
    pub bind: SocketAddr,
    /// Address of `/health`, `/ready` and `/metrics` for probes and Prometheus, which clients cannot occupy
    #[arg(long, env = "VIDP_PROBE_BIND", default_value = "0.0.0.0:8001")]
    pub probe_bind: SocketAddr,
    /// Authentication: `keys` requires an API key; `off` accepts every request, for use on a single machine
    #[arg(long, env = "VIDP_AUTH", value_enum, default_value = "keys")]
    pub auth: AuthMode,
    /// Accept `VIDP_AUTH=off` on an address that other machines can reach
    #[arg(long, env = "VIDP_AUTH_OFF_BEYOND_LOOPBACK")]
    pub auth_off_beyond_loopback: bool,
    /// Host names, besides those of the own machine, under which a server with `VIDP_AUTH=off` answers, for example vidp-main
    #[arg(long, env = "VIDP_ALLOWED_HOSTS", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,
    /// Secret that hashes API keys and encrypts webhook secrets: at least 32 characters, the same in every replica
    #[arg(long, env = "VIDP_KEY_SECRET", default_value = "", hide_env_values = true)]
    pub key_secret: String,
    /// The secret before the last change: keys hashed with it stay valid, and are hashed again at their next use; empty means none
    #[arg(
        long,
        env = "VIDP_KEY_SECRET_PREVIOUS",
        default_value = "",
        hide_env_values = true
    )]
    pub key_secret_previous: String,
    /// Key with the scope admin that creates the first keys: `vidp_<32 hex digits>_<48 hex digits>`; empty means no such key
    #[arg(long, env = "VIDP_ADMIN_KEY", default_value = "", hide_env_values = true)]
    pub admin_key: String,
    /// Requests per minute per key, counted by each replica; 0 means no limit
    #[arg(long, env = "VIDP_REQUESTS_PER_MINUTE", default_value_t = 1200)]
    pub requests_per_minute: u32,
    /// Failed authentications per minute per client address, counted by each replica; 0 means no limit
    #[arg(long, env = "VIDP_FAILED_KEYS_PER_MINUTE", default_value_t = 60)]
    pub failed_keys_per_minute: u32,
    /// Requests per minute of all players with one playback grant, counted by each replica; 0 means no limit
    #[arg(long, env = "VIDP_PLAYBACK_REQUESTS_PER_MINUTE", default_value_t = 60_000)]
    pub playback_requests_per_minute: u32,
    /// Send the files of a stream through the API, for an object store that players cannot reach, instead of redirecting to it
    #[arg(long, env = "VIDP_PLAY_PROXY")]
    pub play_proxy: bool,
    /// Sites that may show the embed page in a frame: sources of a Content-Security-Policy, separated by spaces
    #[arg(long, env = "VIDP_EMBED_FRAME_ANCESTORS", default_value = "*")]
    pub embed_frame_ancestors: FrameAncestors,
    /// Concurrent uploads per tenant, counted by each replica; 0 means no limit
    #[arg(long, env = "VIDP_UPLOADS_PER_TENANT", default_value_t = 32)]
    pub uploads_per_tenant: usize,
    /// Open jobs per tenant: those that have not ended; 0 means no limit
    #[arg(long, env = "VIDP_OPEN_JOBS_PER_TENANT", default_value_t = 20_000)]
    pub open_jobs_per_tenant: u64,
    /// Size in GB (1,000,000,000 bytes) of the sources of a tenant's open jobs, with announced ones; 0 means no limit
    #[arg(long, env = "VIDP_OPEN_GB_PER_TENANT", default_value_t = 0)]
    pub open_gb_per_tenant: u64,
    /// Size in GB of all of a tenant's files: sources, outputs and unfinished uploads, until they expire; 0 means no limit
    #[arg(long, env = "VIDP_STORED_GB_PER_TENANT", default_value_t = 0)]
    pub stored_gb_per_tenant: u64,
    /// Open event streams, long polls and downloads per key, counted by each replica; 0 means no limit
    #[arg(long, env = "VIDP_STREAMS_PER_KEY", default_value_t = 64)]
    pub streams_per_key: usize,
    /// Open event streams, long polls and downloads per tenant, counted by each replica; 0 means no limit
    #[arg(long, env = "VIDP_STREAMS_PER_TENANT", default_value_t = 128)]
    pub streams_per_tenant: usize,
    /// Seconds after which a connection is closed when its client takes nothing of an answer
    #[arg(long, env = "VIDP_WRITE_TIMEOUT_SECONDS", default_value_t = 60)]
    pub write_timeout_seconds: u64,
    /// Concurrent connections of clients; further ones wait
    #[arg(long, env = "VIDP_MAX_CONNECTIONS", default_value_t = 4096)]
    pub max_connections: usize,
    /// Networks of proxies whose X-Forwarded-For is trusted, for example 10.0.0.0/8
    #[arg(long, env = "VIDP_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may call the API from a browser (CORS), for example `https://app.example.com`
    #[arg(long, env = "VIDP_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<HeaderValue>,
    /// Address of MongoDB, which must be a replica set: change streams need one
    #[arg(
        long,
        env = "VIDP_MONGODB_URL",
        default_value = "mongodb://127.0.0.1:27017/?replicaSet=rs0",
        hide_env_values = true
    )]
    pub mongodb_url: String,
    /// Name of the database in MongoDB
    #[arg(long, env = "VIDP_MONGODB_DATABASE", default_value = "vidp")]
    pub mongodb_database: String,
    /// Largest upload in MB (1,000,000 bytes)
    #[arg(long, env = "VIDP_MAX_UPLOAD_MB", default_value_t = 500)]
    pub max_upload_mb: u64,
    /// Minimum rate of an upload, and of a source that the server fetches, in KiB per second, measured over 30 seconds
    #[arg(long, env = "VIDP_MIN_UPLOAD_KIB_PER_SECOND", default_value_t = 4)]
    pub min_upload_kib_per_second: u64,
    /// Failed attempts of a task, and deaths of its workers, before its stage fails
    #[arg(long, env = "VIDP_ATTEMPT_LIMIT", default_value_t = 5)]
    pub attempt_limit: u32,
    /// Hours that a stage may wait and run before it fails as timed out
    #[arg(long, env = "VIDP_DEADLINE_HOURS", default_value_t = 168)]
    pub deadline_hours: u64,
    /// Retention of an ended job and its files in days
    #[arg(long, env = "VIDP_RETENTION_DAYS", default_value_t = 30)]
    pub retention_days: u64,
    /// Longest retention in days that a client may request; longer ones are shortened to this
    #[arg(long, env = "VIDP_MAX_RETENTION_DAYS", default_value_t = 365)]
    pub max_retention_days: u64,
    /// Seconds from the end of a job to the removal of objects that losing attempts stored; must be longer than any attempt may run
    #[arg(long, env = "VIDP_TIDY_SECONDS", default_value_t = 86_400)]
    pub tidy_seconds: u64,
    /// Pause between two rounds of the sweeper in seconds
    #[arg(long, env = "VIDP_SWEEP_SECONDS", default_value_t = 5)]
    pub sweep_seconds: u64,
    /// Seconds without a message from a stage before the sweeper looks for its task in the queue
    #[arg(long, env = "VIDP_STALE_SECONDS", default_value_t = 60)]
    pub stale_seconds: u64,
    /// Networks that clients' URLs may reach although they are not public, for example `10.1.0.0/16,fd00::/8`
    #[arg(long, env = "VIDP_OUTBOUND_ALLOW", value_delimiter = ',')]
    pub outbound_allow: Vec<ipnet::IpNet>,
    /// Networks that clients' URLs may not reach although they are public, for example the NAT64 prefix of your own network
    #[arg(long, env = "VIDP_OUTBOUND_DENY", value_delimiter = ',')]
    pub outbound_deny: Vec<ipnet::IpNet>,
    /// Address of the object store in presigned URLs for clients; `VIDP_S3_ENDPOINT` by default
    #[arg(long, env = "VIDP_S3_PUBLIC_ENDPOINT", default_value = "")]
    pub s3_public_endpoint: String,
    /// Lifetime in seconds of presigned upload URLs, of uploads straight to the store, and of resumable uploads without a
    /// request; at most a week
    #[arg(long, env = "VIDP_DIRECT_UPLOAD_SECONDS", default_value_t = 86_400)]
    pub direct_upload_seconds: u32,
    /// Objects that jobs by reference may name: `bucket` or `bucket/prefix`; {tenant} stands for the tenant's name
    #[arg(long, env = "VIDP_SOURCE_BUCKETS", value_delimiter = ',')]
    pub source_buckets: Vec<Allowed>,
    /// Accept https URLs as sources
    #[arg(long, env = "VIDP_FETCH_URLS")]
    pub fetch_urls: bool,
    /// Concurrent fetches of sources, and as many concurrent checks of finished uploads; a tenant gets at most half of each
    #[arg(long, env = "VIDP_FETCHES", default_value_t = 4)]
    pub fetches: usize,
    /// Seconds without an event before an event stream sends a comment, which keeps proxies from closing it
    #[arg(long, env = "VIDP_EVENT_HEARTBEAT_SECONDS", default_value_t = 15)]
    pub event_heartbeat_seconds: u64,
    /// Pauses in seconds between the tries of a webhook message, one per retry; the default is that of Standard Webhooks
    #[arg(
        long,
        env = "VIDP_WEBHOOK_RETRY_SECONDS",
        value_delimiter = ',',
        default_value = "5,300,1800,7200,18000,36000,50400,72000,86400"
    )]
    pub webhook_retry_seconds: Vec<u64>,
    /// Messages to webhooks that are stored per tenant, pending ones and those of the log; beyond it the oldest are removed; 0
    /// means no limit
    #[arg(long, env = "VIDP_WEBHOOK_MESSAGES_PER_TENANT", default_value_t = 20_000)]
    pub webhook_messages_per_tenant: u64,
    /// Retries of a job within a day; 0 means no limit
    #[arg(long, env = "VIDP_RETRIES_PER_DAY", default_value_t = 50)]
    pub retries_per_day: u32,
    /// Command to run instead of the server
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,
}

impl ApiConfig {
    /// Settings of the object store with the address that clients use.
    pub fn public_s3(&self) -> S3Config {
        let mut s3 = self.s3.clone();
        if !self.s3_public_endpoint.is_empty() {
            s3.s3_endpoint.clone_from(&self.s3_public_endpoint);
        }
        s3
    }

    /// Checks values that contradict each other or could never work.
    ///
    /// # Errors
    /// The message names the variable, the reason and the fix.
    pub fn validate(&self) -> Result<()> {
        self.nats.validate()?;
        self.s3.validate()?;
        config::no_placeholder("VIDP_MONGODB_URL", &self.mongodb_url)?;
        config::no_placeholder("VIDP_KEY_SECRET", &self.key_secret)?;
        config::no_placeholder("VIDP_KEY_SECRET_PREVIOUS", &self.key_secret_previous)?;
        config::no_placeholder("VIDP_ADMIN_KEY", &self.admin_key)?;
        ensure!(
            self.auth == AuthMode::Off || self.key_secret.len() >= MIN_SECRET,
            "VIDP_KEY_SECRET must have at least {MIN_SECRET} characters: generate one with `openssl rand -hex 32`, or set \
             VIDP_AUTH=off on a single machine to run without keys"
        );
        ensure!(
            self.key_secret_previous.is_empty() || self.key_secret_previous != self.key_secret,
            "VIDP_KEY_SECRET_PREVIOUS equals VIDP_KEY_SECRET; remove it, or set it to the secret before the change"
        );
        ensure!(
            self.auth == AuthMode::Keys || self.bind.ip().is_loopback() || self.auth_off_beyond_loopback,
            "VIDP_AUTH=off gives all rights to every client that can reach {}: set VIDP_BIND to 127.0.0.1, or confirm it \
             with VIDP_AUTH_OFF_BEYOND_LOOPBACK=true",
            self.bind
        );
        ensure!(
            self.max_upload_mb > 0,
            "VIDP_MAX_UPLOAD_MB is 0, so every upload would be refused; set it to 1 or more"
        );
        ensure!(
            self.attempt_limit > 0,
            "VIDP_ATTEMPT_LIMIT is 0, so no task could run; set it to 1 or more"
        );
        ensure!(
            self.max_connections > 0,
            "VIDP_MAX_CONNECTIONS is 0, so no client could connect; set it to 1 or more"
        );
        ensure!(
            self.write_timeout_seconds > 0,
            "VIDP_WRITE_TIMEOUT_SECONDS is 0, so every answer would be cut off; set it to 1 or more"
        );
        ensure!(
            self.cors_origins.iter().all(|origin| origin != "*"),
            "VIDP_CORS_ORIGINS contains *, which would let every page use its visitors' API keys; list the origins"
        );
        ensure!(
            (1..=604_800).contains(&self.direct_upload_seconds),
            "VIDP_DIRECT_UPLOAD_SECONDS must be 1 to 604800, because S3 signs URLs for a week at most"
        );
        ensure!(
            self.fetches > 0,
            "VIDP_FETCHES is 0, so no source can be fetched; set it to 1 or more"
        );
        let own = |allowed: &Allowed| allowed.is_bucket(&self.s3.s3_bucket);
        ensure!(
            !self.source_buckets.iter().any(own),
            "VIDP_SOURCE_BUCKETS names VIDP_S3_BUCKET, which holds the files of all tenants; name other buckets"
        );
        ensure!(
            self.sweep_seconds > 0,
            "VIDP_SWEEP_SECONDS is 0, so the sweeper would never pause; set it to 1 or more"
        );
        ensure!(
            self.max_retention_days >= self.retention_days,
            "VIDP_RETENTION_DAYS ({}) is longer than VIDP_MAX_RETENTION_DAYS ({}); lower the first or raise the second",
            self.retention_days,
            self.max_retention_days
        );
        ensure!(
            self.event_heartbeat_seconds > 0,
            "VIDP_EVENT_HEARTBEAT_SECONDS is 0, so comments would be sent without a pause; set it to 1 or more"
        );
        ensure!(
            self.stale_seconds > self.sweep_seconds,
            "VIDP_STALE_SECONDS ({}) must be longer than VIDP_SWEEP_SECONDS ({}), or the sweeper cannot keep to it; raise the \
             first or lower the second",
            self.stale_seconds,
            self.sweep_seconds
        );
        Ok(())
    }

    /// Limits of the connections of clients.
    pub fn connections(&self) -> Connections {
        Connections {
            max: self.max_connections,
            write_timeout: Duration::from_secs(self.write_timeout_seconds),
        }
    }

    /// Networks that clients' URLs may reach or not.
    pub fn outbound(&self) -> Networks {
        Networks {
            allow: self.outbound_allow.clone(),
            deny: self.outbound_deny.clone(),
        }
    }

    /// Largest upload in bytes.
    pub fn max_upload(&self) -> u64 {
        self.max_upload_mb.saturating_mul(1_000_000)
    }

    /// Limits of each tenant. Without API keys there are no tenants to limit.
    pub fn quotas(&self) -> Limits {
        let bytes = |gigabytes: u64| gigabytes.saturating_mul(1_000_000_000);
        match self.auth {
            AuthMode::Off => Limits::default(),
            AuthMode::Keys => Limits {
                open_jobs: self.open_jobs_per_tenant,
                open_bytes: bytes(self.open_gb_per_tenant),
                stored_bytes: bytes(self.stored_gb_per_tenant),
            },
        }
    }

    /// Concurrent fetches of one tenant: half of all, or all when there is only one tenant.
    pub fn fetches_per_tenant(&self) -> usize {
        match self.auth {
            AuthMode::Keys => self.fetches.div_ceil(2),
            AuthMode::Off => self.fetches,
        }
    }

    /// Lifetime of an upload that arrives in several requests.
    pub fn direct_upload(&self) -> Duration {
        Duration::from_secs(self.direct_upload_seconds.into())
    }

    /// Retention of an ended job.
    pub fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_days.saturating_mul(24 * 3600))
    }

    /// Longest retention that a client may request.
    pub fn max_retention(&self) -> Duration {
        Duration::from_secs(self.max_retention_days.saturating_mul(24 * 3600))
    }

    /// Time from the end of a job to the removal of objects that losing attempts stored.
    pub fn tidy(&self) -> Duration {
        Duration::from_secs(self.tidy_seconds)
    }

    /// Time that a stage may wait and run.
    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_hours.saturating_mul(3600))
    }

    /// Silence of a stage before the sweeper looks for its task.
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
    fn keys_need_a_secret() {
        let secret = "--key-secret=0123456789abcdef0123456789abcdef";
        check(&[], Some("VIDP_KEY_SECRET"));
        check(&["--key-secret=short"], Some("VIDP_KEY_SECRET"));
        check(&["--key-secret=replace-me"], Some("make-secrets.py"));
        check(&[secret], None);
        check(&[secret, "--admin-key=replace-me"], Some("VIDP_ADMIN_KEY"));
    }

    #[test]
    fn an_open_api_needs_a_loopback_address() {
        check(&["--auth=off"], Some("VIDP_AUTH_OFF_BEYOND_LOOPBACK"));
        check(&["--auth=off", "--bind=127.0.0.1:8000"], None);
        check(&["--auth=off", "--bind=[::1]:8000"], None);
        check(&["--auth=off", "--auth-off-beyond-loopback"], None);
    }
}
