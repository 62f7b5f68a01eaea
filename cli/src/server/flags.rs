use clap::Args;
use std::path::PathBuf;

/// The flags that select a server.
#[derive(Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Flags {
    /// Address of the API; default: `http://127.0.0.1:8000`
    #[arg(long, env = "VIDP_SERVER", value_name = "URL")]
    pub(super) server: Option<String>,
    /// API key, if the server requires one
    #[arg(long, alias = "api-key", env = "VIDP_API_KEY", hide_env_values = true)]
    pub(super) key: Option<String>,
    /// Profile in the configuration file; the flag takes precedence over `VIDP_SERVER` and `VIDP_API_KEY`
    #[arg(long, env = "VIDP_PROFILE", value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Configuration file; default: ~/.config/vidp/config.toml
    #[arg(long, env = "VIDP_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}
