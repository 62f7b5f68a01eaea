use super::{config::Config, flags::Flags};
use anyhow::{Result, bail};

const DEFAULT_SERVER: &str = "http://127.0.0.1:8000";

/// The selected server.
#[derive(Debug, PartialEq)]
pub struct Choice {
    /// The API's address.
    pub server: String,
    /// The API key.
    pub key: Option<String>,
}

/// Selects the server and the key. `typed` are the names of the flags on the command line itself.
pub(super) fn choose(flags: &Flags, typed: &[&str], config: &Config) -> Result<Choice> {
    let given = |name: &str, value: &Option<String>| {
        // A typed profile takes precedence over the environment.
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
                bail!("no profile {name:?}; the profiles are: {}", known.join(", "));
            }
        },
    };
    let server = given("server", &flags.server);
    let server = server.or_else(|| profile.map(|profile| profile.url.clone()));
    let server = server.unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    // A profile's key is sent to that profile's server only.
    let own = profile.filter(|profile| same_address(&profile.url, &server));
    let key = given("key", &flags.key).or_else(|| own?.key.clone());
    Ok(Choice { server, key })
}

fn same_address(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
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
            Err("no profile \"none\"; the profiles are: home, work"),
        );
    }

    #[test]
    fn a_key_is_sent_to_its_own_server_only() {
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
