//! In which networks servers may be discovered: whoever may replicate may report any address, and the control account
//! logs in there.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// The addresses that agree with one in its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The addresses that agree with `address` in the first `prefix` bits.
    #[must_use]
    pub const fn new(address: IpAddr, prefix: u8) -> Self {
        Self { address, prefix }
    }

    /// The network of a neighbour: the usual size of one, 24 bits of IPv4 and 64 of IPv6. Of loopback all of it.
    const fn around(address: IpAddr) -> Self {
        let prefix = match address {
            IpAddr::V4(v4) if v4.is_loopback() => 8,
            IpAddr::V4(_) => 24,
            IpAddr::V6(v6) if v6.is_loopback() => 128,
            IpAddr::V6(_) => 64,
        };
        Self::new(address, prefix)
    }

    /// Whether an address is in it. IPv4 in its IPv6 form is taken for what it stands for.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differs = own.to_bits() ^ other.to_bits();
                differs.checked_shr(32_u32.saturating_sub(self.prefix.into())).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differs = own.to_bits() ^ other.to_bits();
                differs.checked_shr(128_u32.saturating_sub(self.prefix.into())).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Where servers may be discovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Networks {
    /// Beside the servers that were named: in the same /24 of IPv4 or /64 of IPv6; and on loopback, where one of those
    /// is there.
    Neighbours,
    /// In these.
    Named(Vec<Network>),
}

impl Networks {
    /// Whether a server that is discovered may have an address. `named` are the addresses of those that were named.
    #[must_use]
    pub fn hold(&self, address: IpAddr, named: &BTreeSet<IpAddr>) -> bool {
        match self {
            Self::Neighbours => named.iter().any(|near| Network::around(near.to_canonical()).holds(address)),
            Self::Named(networks) => networks.iter().any(|network| network.holds(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_discovered_beside_those_that_were_named() {
        let check = |networks: &Networks, named: &[&str], address: &str, expected: bool| {
            let named = named.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(networks.hold(address.parse().unwrap(), &named), expected, "{address} {named:?}");
        };
        let near = Networks::Neighbours;
        check(&near, &["10.0.0.5"], "10.0.0.200", true);
        check(&near, &["10.0.0.5"], "10.0.1.5", false);
        check(&near, &["10.0.0.5"], "::ffff:10.0.0.9", true);
        check(&near, &["10.0.0.5"], "127.0.0.1", false);
        check(&near, &["127.0.0.1"], "127.0.0.2", true);
        check(&near, &["2001:db8::5"], "2001:db8::1:2:3:4", true);
        check(&near, &["2001:db8::5"], "2001:db8:0:1::5", false);
        check(&near, &[], "10.0.0.5", false);
        let network = |text: &str, prefix| Network::new(text.parse().unwrap(), prefix);
        let named = Networks::Named(vec![network("192.168.0.0", 16), network("fd00::", 8)]);
        check(&named, &["10.0.0.5"], "192.168.7.7", true);
        check(&named, &["10.0.0.5"], "fd12::1", true);
        check(&named, &["10.0.0.5"], "10.0.0.6", false);
        check(&Networks::Named(Vec::new()), &["10.0.0.5"], "10.0.0.5", false);
        check(&Networks::Named(vec![network("0.0.0.0", 0)]), &[], "203.0.113.9", true);
    }
}
