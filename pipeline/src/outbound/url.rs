//! Checks of a URL before its name is resolved.

use super::address::{Networks, may_connect};
use reqwest::Url;
use std::net::IpAddr;

/// Maximum number of redirects.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Reason why a client's URL is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// The scheme is not `https`, nor `http` with an address that the settings allow.
    #[error("only https URLs are accepted")]
    Scheme,
    /// The URL contains credentials, which would be stored and logged.
    #[error("a URL with a user or a password is not accepted")]
    Credentials,
    /// The address is neither public nor allowed by the settings.
    #[error("{0} is not a public address")]
    Address(String),
    /// The name does not exist, or none of its addresses is permitted. The two are not told apart, because the difference
    /// would show which internal names exist.
    #[error("{0} does not resolve to a public address")]
    Name(String),
    /// The server redirected too often.
    #[error("more than {MAX_REDIRECTS} redirects")]
    Redirects,
}

/// Checks a URL's scheme, credentials and literal address; names are checked when they are resolved.
pub fn check(url: &Url, networks: &Networks) -> Result<(), Refused> {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let trusted = literal.is_some_and(|address| networks.is_allowed(address));
    if url.scheme() != "https" && !(url.scheme() == "http" && trusted) {
        return Err(Refused::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    match literal {
        Some(address) if !may_connect(address, networks) => Err(Refused::Address(host.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks() -> Networks {
        Networks {
            allow: ["127.0.0.1/32", "fd00:1::/32"]
                .map(|net| net.parse().unwrap())
                .into(),
            deny: vec!["2a00:64::/96".parse().unwrap()],
        }
    }

    #[test]
    fn urls_are_looked_at_before_their_names_are_resolved() {
        let address = |host: &str| Err(Refused::Address(host.to_owned()));
        for (url, expected) in [
            ("https://example.com/a.mp4?b=c", Ok(())),
            ("https://example.com:8443/a", Ok(())),
            ("https://8.8.8.8/", Ok(())),
            ("http://example.com/", Err(Refused::Scheme)),
            ("http://8.8.8.8/", Err(Refused::Scheme)),
            ("ftp://example.com/", Err(Refused::Scheme)),
            ("file:///etc/passwd", Err(Refused::Scheme)),
            ("data:text/plain,x", Err(Refused::Scheme)),
            ("https://user@example.com/", Err(Refused::Credentials)),
            ("https://:secret@example.com/", Err(Refused::Credentials)),
            ("https://10.1.2.3/", address("10.1.2.3")),
            // Other notations of addresses.
            ("https://2852039166/", address("169.254.169.254")),
            ("https://0x7f.2/", address("127.0.0.2")),
            ("https://0177.0.0.2/", address("127.0.0.2")),
            ("https://１２７.0.0.2/", address("127.0.0.2")),
            ("https://[::1]/", address("[::1]")),
            ("https://[2a00:64::a00:1]/", address("[2a00:64::a00:1]")),
            ("https://[::ffff:10.0.0.1]/", address("[::ffff:a00:1]")),
            // Allowed by the settings.
            ("https://127.0.0.1/", Ok(())),
            ("http://127.0.0.1:9/", Ok(())),
            ("http://[fd00:1::2]/", Ok(())),
            ("http://localhost/", Err(Refused::Scheme)),
        ] {
            assert_eq!(check(&Url::parse(url).unwrap(), &networks()), expected, "{url}");
        }
    }
}
