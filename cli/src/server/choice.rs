//! Which server to talk to: by flag, environment, then a profile of the configuration file.

use crate::client::Client;
use anyhow::{Context, Result, bail};
use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};
use console::style;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const DEFAULT_SERVER: &str = "http://127.0.0.1:8000";

#[derive(Args)]
#[command(next_help_heading = "Server")]
struct Flags {
    /// Address of the API; http://127.0.0.1:8000 when nothing names another
    #[arg(long, env = "VIDP_SERVER", value_name = "URL")]
    server: Option<String>,
    /// API key, where the server asks for one
    #[arg(long, alias = "api-key", env = "VIDP_API_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Profile of the configuration file; as a flag it wins over VIDP_SERVER and VIDP_API_KEY
    #[arg(long, env = "VIDP_PROFILE", value_name = "NAME")]
    profile: Option<String>,
    /// Configuration file; ~/.config/vidp/config.toml when nothing names another
    #[arg(long, env = "VIDP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which server to talk to, as the command line and the environment say.
pub struct Server {
    flags: Flags,
    /// Flags that were given on the command line itself.
    typed: Vec<&'static str>,
}

impl Args for Server {
    fn augment_args(command: Command) -> Command {
        // The heading must not go on to the arguments of the command itself.
        Flags::augment_args(command).next_help_heading(None)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Server::augment_args(command)
    }
}

impl FromArgMatches for Server {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Server, clap::Error> {
        let typed = ["server", "key", "profile"]
            .into_iter()
            .filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
        Ok(Server {
            typed: typed.collect(),
            flags: Flags::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Server::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The configuration file.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The profile when none is named.
    pub default_profile: Option<String>,
    /// By name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// A server.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its address.
    pub url: String,
    /// The API key.
    pub key: Option<String>,
}

/// What was decided.
#[derive(Debug, PartialEq)]
pub struct Choice {
    /// The API's address.
    pub server: String,
    /// API key.
    pub key: Option<String>,
}

impl Server {
    /// A connection to it.
    pub fn client(&self) -> Result<Client> {
        let choice = self.choice()?;
        Client::new(&choice.server, choice.key.as_deref())
    }

    /// The server and the key.
    pub fn choice(&self) -> Result<Choice> {
        let (config, path) = self.load()?;
        if let Some(warning) = open_to_others(&config, &path) {
            eprintln!("{} {warning}", style("warning:").yellow().for_stderr());
        }
        choose(&self.flags, &self.typed, &config)
            .with_context(|| format!("configuration file {}", path.display()))
    }

    /// The configuration file and where it is; an empty one when there is none.
    pub fn load(&self) -> Result<(Config, PathBuf)> {
        let path = self.flags.config.clone().or_else(default_path);
        let path = path.unwrap_or_default();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if self.flags.config.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Config::default(), path));
            }
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let config: Config = toml::from_str(&text).with_context(|| path.display().to_string())?;
        Ok((config, path))
    }

    /// A command line that talks to the same server: what was typed is typed again, but for the key.
    pub fn command(&self, rest: &str) -> String {
        let mut line = format!("vidp {rest}");
        for (name, value) in [("server", &self.flags.server), ("profile", &self.flags.profile)] {
            if let Some(value) = value.as_ref().filter(|_| self.typed.contains(&name)) {
                line.push_str(&format!(" --{name} {value}"));
            }
        }
        line
    }
}

fn choose(flags: &Flags, typed: &[&str], config: &Config) -> Result<Choice> {
    let given = |name: &str, value: &Option<String>| {
        // A profile that was typed is meant: the environment is not asked then.
        let counts = typed.contains(&name) || !typed.contains(&"profile");
        let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty());
        value.filter(|_| counts).map(str::to_owned)
    };
    let named = flags.profile.as_ref().filter(|name| !name.is_empty());
    let profile = match named.or(config.default_profile.as_ref()) {
        None => None,
        Some(name) => match config.profiles.get(name) {
            Some(profile) => Some(profile),
            None => {
                let known: Vec<_> = config.profiles.keys().map(String::as_str).collect();
                bail!("no profile {name:?}; there are: {}", known.join(", "));
            }
        },
    };
    let server = given("server", &flags.server);
    let server = server.or_else(|| profile.map(|profile| profile.url.clone()));
    let server = server.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    // A key goes to its own server and to no other.
    let own = profile.filter(|profile| same(&profile.url, &server));
    let key = given("key", &flags.key).or_else(|| own?.key.clone());
    Ok(Choice { server, key })
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

fn default_path() -> Option<PathBuf> {
    Some(base_folder("XDG_CONFIG_HOME", ".config")?.join("vidp/config.toml"))
}

/// A folder of the XDG Base Directory Specification: what the variable says, or the one below the home.
pub fn base_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let xdg = env::var_os(variable).map(PathBuf::from);
    xdg.filter(|folder| folder.is_absolute())
        .or_else(|| Some(env::home_dir()?.join(below_home)))
}

/// A warning when a file with keys can be read by others.
pub fn open_to_others(config: &Config, path: &Path) -> Option<String> {
    let keys = config.profiles.values().any(|profile| profile.key.is_some());
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (keys && mode & 0o077 != 0).then(|| {
        let shown = path.display();
        format!("others can read the API keys in {shown}: run `chmod 600 {shown}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        default_profile = "home"
        [profiles.home]
        url = "http://127.0.0.1:8000"
        [profiles.work]
        url = "https://vidp.example.com/"
        key = "vidp_work"
    "#;

    fn check(line: &[&str], environment: [Option<&str>; 3], expected: Result<(&str, Option<&str>), &str>) {
        let value = |i: usize, name: &str| {
            let typed = line.iter().position(|word| *word == format!("--{name}"));
            typed.map(|at| line[at + 1]).or(environment[i]).map(str::to_owned)
        };
        let flags = Flags {
            server: value(0, "server"),
            key: value(1, "key"),
            profile: value(2, "profile"),
            config: None,
        };
        let typed: Vec<_> = line.iter().filter_map(|word| word.strip_prefix("--")).collect();
        let choice = choose(&flags, &typed, &toml::from_str(FILE).unwrap());
        let choice = choice.map_err(|error| error.to_string());
        let expected = expected.map(|(server, key)| Choice {
            server: server.to_owned(),
            key: key.map(str::to_owned),
        });
        assert_eq!(
            choice,
            expected.map_err(str::to_owned),
            "{line:?} {environment:?}"
        );
    }

    #[test]
    fn flag_then_environment_then_file() {
        let work = Ok(("https://vidp.example.com/", Some("vidp_work")));
        check(&[], [None; 3], Ok((DEFAULT_SERVER, None)));
        check(
            &[],
            [Some("http://env"), Some("k"), None],
            Ok(("http://env", Some("k"))),
        );
        check(
            &["--server", "http://flag"],
            [Some("http://env"), None, None],
            Ok(("http://flag", None)),
        );
        check(&[], [None, None, Some("work")], work);
        check(
            &["--profile", "work"],
            [Some("http://env"), Some("k"), None],
            work,
        );
        check(
            &["--profile", "work", "--key", "k"],
            [None; 3],
            Ok(("https://vidp.example.com/", Some("k"))),
        );
        check(
            &["--profile", "none"],
            [None; 3],
            Err("no profile \"none\"; there are: home, work"),
        );
    }

    #[test]
    fn a_key_goes_to_its_own_server_alone() {
        check(
            &["--server", "http://other"],
            [None, None, Some("work")],
            Ok(("http://other", None)),
        );
        check(
            &["--server", "https://vidp.example.com"],
            [None, None, Some("work")],
            Ok(("https://vidp.example.com", Some("vidp_work"))),
        );
    }
}
