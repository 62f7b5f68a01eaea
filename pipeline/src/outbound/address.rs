//! Public and special-purpose addresses.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// Networks that are not globally reachable: IANA's IPv4 Special-Purpose Address Registry (RFC 6890), and multicast.
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
    // Azure's host service; the address looks public.
    v4(168, 63, 129, 16, 32),
];

/// The only IPv6 range assigned to networks of the public Internet (RFC 4291 §2.4). It excludes loopback, link-local,
/// unique local, multicast, IPv4-mapped and NAT64 addresses.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// Networks within that range that are not reachable, or embed an IPv4 address (Teredo, 6to4).
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];

/// Networks of the settings, which differ from the public Internet.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    /// Permitted although they are not public.
    pub allow: Vec<IpNet>,
    /// Refused although they are public, such as a NAT64 prefix of the operator's own. Stronger than `allow`.
    pub deny: Vec<IpNet>,
}

impl Networks {
    /// Returns true for an address that is permitted although it is not public.
    pub(super) fn is_allowed(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|net| net.contains(&address)) && !self.is_denied(address)
    }

    fn is_denied(&self, address: IpAddr) -> bool {
        self.deny.iter().any(|net| net.contains(&address))
    }
}

/// Returns true when the server may connect to an address that a client chose: a public one, or one that the settings
/// allow.
pub fn may_connect(address: IpAddr, networks: &Networks) -> bool {
    let public = match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address))
        }
    };
    (public && !networks.is_denied(address)) || networks.is_allowed(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks() -> Networks {
        let nets = |nets: [&str; 2]| nets.map(|net| net.parse().unwrap()).into();
        Networks {
            allow: nets(["127.0.0.1/32", "fd00:1::/32"]),
            deny: nets(["2a00:64::/96", "fd00:1:2::/48"]),
        }
    }

    #[test]
    fn only_public_addresses_are_connected_to() {
        let check = |address: &str, expected: bool| {
            assert_eq!(
                may_connect(address.parse().unwrap(), &Networks::default()),
                expected,
                "{address}"
            );
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
            let none = Networks::default();
            assert!(!may_connect(address.parse().unwrap(), &none), "{address}: {what}");
        }
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("fd00:1::9", true),
            ("fd00:2::9", false),
            ("2a00:1450::1", true),
            // NAT64 for 10.0.0.1.
            ("2a00:64::a00:1", false),
            ("fd00:1:2::9", false),
        ] {
            assert_eq!(
                may_connect(address.parse().unwrap(), &networks()),
                expected,
                "{address}"
            );
        }
    }
}
