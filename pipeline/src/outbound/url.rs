//! Which addresses this server may connect to when somebody else names them: URLs to fetch, and webhooks.
//!
//! Such a URL must not lead into the network that the API stands in (server-side request forgery). A name is resolved
//! when the connection is made, what is not public is dropped, and the connection goes to the very addresses that were
//! looked at: no second answer of a name server can lead elsewhere. A host that is an address is looked at before, in
//! redirects too.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    ClientBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// Redirects followed, where any are.
const MAX_REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// What is not globally reachable: IANA's IPv4 Special-Purpose Address Registry (RFC 6890), and multicast.
const NOT_PUBLIC_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    // Carrier-grade NAT.
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    // Link-local, with the metadata service of most clouds.
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    // Multicast; reserved, with broadcast.
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
    // Looks public, and is Azure's own service on each of its hosts.
    v4(168, 63, 129, 16, 32),
];
/// The only addresses of IPv6 that are given to networks of the public Internet (RFC 4291 §2.4). Outside it are
/// loopback, link-local, unique local, multicast, IPv4-mapped and those of NAT64.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);
/// What of it is not reachable, or leads to an IPv4 address that is written inside (Teredo, 6to4).
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];

/// Why a URL is not connected to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    /// Neither `https`, nor `http` to an address that is allowed by the settings.
    #[error("only https URLs are taken")]
    Scheme,
    /// They would end up in records and logs.
    #[error("a URL with a user or a password is not taken")]
    Credentials,
    /// Not a public address, nor one that is allowed by the settings.
    #[error("{0} is not a public address")]
    Address(String),
    /// Too many.
    #[error("more than {MAX_REDIRECTS} redirects")]
    Redirects,
}

/// Whether a server may connect to an address that a stranger chose.
pub fn may_connect(address: IpAddr, allowed: &[IpNet]) -> bool {
    let public = match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address))
        }
    };
    public || allowed.iter().any(|net| net.contains(&address))
}

/// What can be said of a URL before its name is resolved.
pub fn check(url: &Url, allowed: &[IpNet]) -> Result<(), Refused> {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let trusted = literal.is_some_and(|address| allowed.iter().any(|net| net.contains(&address)));
    if url.scheme() != "https" && !(url.scheme() == "http" && trusted) {
        return Err(Refused::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    match literal {
        Some(address) if !may_connect(address, allowed) => Err(Refused::Address(host.to_owned())),
        _ => Ok(()),
    }
}

/// A client that connects to public addresses and those of `allowed` and to no others, through no proxy. It follows no
/// redirects, unless given [`redirects`]. Every URL goes through [`check`] first: the client itself looks at names.
pub fn client(allowed: &[IpNet]) -> ClientBuilder {
    // One of the process's TLS libraries must be named; an error says that it has been.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .dns_resolver(Public(allowed.into()))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("vidp/", env!("CARGO_PKG_VERSION")))
}

/// A few redirects, to where the first request could have gone as well.
pub fn redirects(allowed: &[IpNet]) -> Policy {
    let allowed = allowed.to_vec();
    Policy::custom(move |attempt| {
        if attempt.previous().len() > MAX_REDIRECTS {
            return attempt.error(Refused::Redirects);
        }
        match check(attempt.url(), &allowed) {
            Ok(()) => attempt.follow(),
            Err(refused) => attempt.error(refused),
        }
    })
}

/// Why a request was not made, when it was refused here.
pub fn refusal(error: &reqwest::Error) -> Option<&Refused> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        source = error.source();
    }
    None
}

/// Resolves names to the addresses that may be connected to.
struct Public(Arc<[IpNet]>);

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found
                .filter(|address| may_connect(address.ip(), &allowed))
                .collect();
            if public.is_empty() {
                return Err(Refused::Address(name.as_str().to_owned()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> [IpNet; 2] {
        ["127.0.0.1/32", "fd00:1::/32"].map(|net| net.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_connected_to() {
        let check = |address: &str, expected: bool| {
            assert_eq!(may_connect(address.parse().unwrap(), &[]), expected, "{address}");
        };
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.1",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2600::",
            "2a00:1450::1",
        ] {
            check(public, true);
        }
        for (address, what) in [
            ("0.0.0.0", "this host"),
            ("0.1.2.3", "this network"),
            ("10.0.0.1", "private"),
            ("100.64.0.1", "carrier-grade NAT"),
            ("100.100.100.200", "a cloud's metadata"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("169.254.169.254", "link-local, metadata"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.8", "protocol assignments"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "6to4 relay"),
            ("192.168.1.1", "private"),
            ("198.19.0.1", "benchmarks"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("168.63.129.16", "a cloud's host"),
            ("::", "this host"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "mapped"),
            ("::ffff:8.8.8.8", "mapped"),
            ("::127.0.0.1", "IPv4-compatible"),
            ("64:ff9b::7f00:1", "NAT64"),
            ("64:ff9b:1::1", "local NAT64"),
            ("100::1", "discard"),
            ("2001::1", "Teredo"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::1", "6to4"),
            ("3fff::1", "documentation"),
            ("5f00::1", "segment routing"),
            ("fc00::1", "unique local"),
            ("fd00:ec2::254", "a cloud's metadata"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            assert!(!may_connect(address.parse().unwrap(), &[]), "{address}: {what}");
        }
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("fd00:1::9", true),
            ("fd00:2::9", false),
        ] {
            assert_eq!(
                may_connect(address.parse().unwrap(), &allowed()),
                expected,
                "{address}"
            );
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
            // Other ways to write one.
            ("https://2852039166/", address("169.254.169.254")),
            ("https://0x7f.2/", address("127.0.0.2")),
            ("https://0177.0.0.2/", address("127.0.0.2")),
            ("https://１２７.0.0.2/", address("127.0.0.2")),
            ("https://[::1]/", address("[::1]")),
            ("https://[::ffff:10.0.0.1]/", address("[::ffff:a00:1]")),
            // Allowed by the settings.
            ("https://127.0.0.1/", Ok(())),
            ("http://127.0.0.1:9/", Ok(())),
            ("http://[fd00:1::2]/", Ok(())),
            ("http://localhost/", Err(Refused::Scheme)),
        ] {
            assert_eq!(check(&Url::parse(url).unwrap(), &allowed()), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused() {
        let error = client(&[])
            .build()
            .unwrap()
            .get("https://localhost/")
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            refusal(&error),
            Some(&Refused::Address("localhost".to_owned())),
            "{error:?}"
        );
    }
}
