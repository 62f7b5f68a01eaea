use super::{
    choice::{Choice, choose},
    config::{Config, load, readable_by_others},
    flags::Flags,
};
use crate::client::Client;
use anyhow::{Context, Result};
use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};
use console::style;
use std::path::PathBuf;

/// The server that the command line and the environment select. Commands flatten it into their arguments.
pub struct Server {
    flags: Flags,
    /// Names of the flags that were typed, not taken from the environment.
    typed: Vec<&'static str>,
}

impl Args for Server {
    fn augment_args(command: Command) -> Command {
        // The heading must not apply to the arguments of the command that follow.
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

impl Server {
    /// Makes a client for the selected server.
    pub fn client(&self) -> Result<Client> {
        let choice = self.choice()?;
        Client::new(&choice.server, choice.key.as_deref())
    }

    /// Selects the server and the key. Prints a warning when other users can read the configuration file's keys.
    pub fn choice(&self) -> Result<Choice> {
        let (config, path) = self.load()?;
        if let Some(warning) = readable_by_others(&config, &path) {
            eprintln!("{} {warning}", style("warning:").yellow().for_stderr());
        }
        choose(&self.flags, &self.typed, &config)
            .with_context(|| format!("configuration file {}", path.display()))
    }

    /// Reads the configuration file; also returns its path. A missing default file is an empty configuration.
    pub fn load(&self) -> Result<(Config, PathBuf)> {
        load(self.flags.config.as_deref())
    }

    /// A command line for the same server, to be shown to the user: repeats the typed flags except the key.
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
