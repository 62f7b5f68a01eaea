//! The address of a client, also behind trusted proxies.

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;
use std::net::IpAddr;
use vidp_common::service::Peer;

const FORWARDED: &str = "x-forwarded-for";

/// The client's address: that of the peer, or the one that trusted proxies forwarded. `None` for a request without a
/// connection, as in tests.
pub(crate) fn of_client(request: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let Peer(peer) = request.get::<Peer>()?;
    Some(forwarded_for(peer.ip(), headers, trusted))
}

/// Reads `X-Forwarded-For` from its end. Each proxy appends the address that it received the request from, and only
/// entries that a trusted proxy appended count.
fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let values = headers.get_all(FORWARDED).iter().rev();
    let hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    let mut client = peer.to_canonical();
    for hop in hops {
        match hop.trim().parse::<IpAddr>() {
            Ok(before) if is_trusted(&client) => client = before.to_canonical(),
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(peer: &str, forwarded: &[&'static str], expected: &str) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED, HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "192.0.2.7/32".parse().unwrap()];
        let found = forwarded_for(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
    }

    #[test]
    fn only_trusted_proxies_count() {
        check("203.0.113.5", &[], "203.0.113.5");
        check("203.0.113.5", &["198.51.100.1"], "203.0.113.5");
        check("10.1.2.3", &["198.51.100.1"], "198.51.100.1");
        check("::ffff:10.1.2.3", &["198.51.100.1"], "198.51.100.1");
        // The client's own entries precede the one that the proxy appended.
        check("10.1.2.3", &["1.1.1.1, 198.51.100.1"], "198.51.100.1");
        check(
            "10.1.2.3",
            &["1.1.1.1", "198.51.100.1, 192.0.2.7"],
            "198.51.100.1",
        );
        check("10.1.2.3", &["198.51.100.1, nonsense"], "10.1.2.3");
        check("10.1.2.3", &["10.9.9.9"], "10.9.9.9");
    }
}
