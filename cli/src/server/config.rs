use crate::files::user_folder::user_folder;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The configuration file.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The profile that is used when no flag or variable names one.
    pub default_profile: Option<String>,
    /// The profiles by name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// A server in the configuration file.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The server's address.
    pub url: String,
    /// The API key.
    pub key: Option<String>,
}

/// Reads the configuration file; also returns its path. Without `named`, a missing file is an empty configuration.
pub(super) fn load(named: Option<&Path>) -> Result<(Config, PathBuf)> {
    let path = named.map(Path::to_owned).or_else(default_path);
    let path = path.unwrap_or_default();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((Config::default(), path));
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let config: Config = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok((config, path))
}

fn default_path() -> Option<PathBuf> {
    Some(user_folder("XDG_CONFIG_HOME", ".config")?.join("vidp/config.toml"))
}

/// Returns a warning when other users can read a file with API keys.
pub fn readable_by_others(config: &Config, path: &Path) -> Option<String> {
    let keys = config.profiles.values().any(|profile| profile.key.is_some());
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (keys && mode & 0o077 != 0).then(|| {
        let shown = path.display();
        format!("other users can read the API keys in {shown}: run `chmod 600 {shown}`")
    })
}
