//! Networks, and what is in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Some addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Clients of Unix sockets, which have no address.
    Unix,
    /// Those that agree with an address in its first bits.
    Range {
        /// The address, never IPv4 in its IPv6 form.
        address: IpAddr,
        /// How many bits count.
        prefix: u8,
    },
}

impl Network {
    /// The addresses that agree with `address` in the first `prefix` bits. IPv4 in its IPv6 form is taken for
    /// what it stands for.
    #[must_use]
    pub fn range(address: IpAddr, prefix: u8) -> Self {
        match (address, address.to_canonical(), prefix.checked_sub(MAPPED)) {
            (IpAddr::V6(_), mapped @ IpAddr::V4(_), Some(prefix)) => Self::Range { address: mapped, prefix },
            _ => Self::Range { address, prefix },
        }
    }

    /// Whether a client is in it; `None` is a client of a Unix socket.
    #[must_use]
    pub fn holds(&self, client: Option<IpAddr>) -> bool {
        match (*self, client.map(|client| client.to_canonical())) {
            (Self::Unix, client) => client.is_none(),
            (Self::Range { address: IpAddr::V4(address), prefix }, Some(IpAddr::V4(client))) => {
                let differs = address.to_bits() ^ client.to_bits();
                differs.checked_shr(Ipv4Addr::BITS.saturating_sub(prefix.into())).unwrap_or(0) == 0
            }
            (Self::Range { address: IpAddr::V6(address), prefix }, Some(IpAddr::V6(client))) => {
                let differs = address.to_bits() ^ client.to_bits();
                differs.checked_shr(Ipv6Addr::BITS.saturating_sub(prefix.into())).unwrap_or(0) == 0
            }
            (Self::Range { .. }, _) => false,
        }
    }
}

/// The bits before the IPv4 address in `::ffff:192.0.2.1`.
const MAPPED: u8 = 96;

/// Any number of networks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// True where none is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a client is in one of them.
    #[must_use]
    pub fn holds(&self, client: Option<IpAddr>) -> bool {
        self.0.iter().any(|network| network.holds(client))
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_in_their_networks() {
        let check = |network: &str, prefix, client: Option<&str>, inside| {
            let network = Network::range(network.parse().unwrap(), prefix);
            let client = client.map(|client| client.parse().unwrap());
            assert_eq!(network.holds(client), inside, "{network:?} {client:?}");
        };
        check("10.0.0.0", 8, Some("10.255.255.255"), true);
        check("10.0.0.0", 8, Some("11.0.0.0"), false);
        check("10.0.0.0", 8, Some("::ffff:10.0.0.1"), true);
        check("::ffff:10.0.0.0", 104, Some("10.1.2.3"), true);
        check("::ffff:10.0.0.0", 104, Some("11.1.2.3"), false);
        check("192.0.2.7", 32, Some("192.0.2.7"), true);
        check("192.0.2.7", 32, Some("192.0.2.6"), false);
        check("0.0.0.0", 0, Some("255.255.255.255"), true);
        check("0.0.0.0", 0, Some("::1"), false);
        check("::", 0, Some("2001:db8::1"), true);
        check("::", 0, Some("192.0.2.1"), false);
        check("2001:db8::", 33, Some("2001:db8:7fff::"), true);
        check("2001:db8::", 33, Some("2001:db8:8000::"), false);
        check("0.0.0.0", 0, None, false);
        check("::1", 128, None, false);
        assert!(Network::Unix.holds(None) && !Network::Unix.holds(Some(Ipv4Addr::LOCALHOST.into())));
    }

    proptest! {
        #[test]
        fn a_network_holds_its_own_addresses_and_a_wider_one_holds_more(
            address: IpAddr, client: IpAddr, prefix in 0u8..=128, wider in 0u8..=128,
        ) {
            let address = address.to_canonical();
            let prefix = prefix.min(if address.is_ipv4() { 32 } else { 128 });
            let (narrow, wide) = (Network::range(address, prefix), Network::range(address, wider.min(prefix)));
            prop_assert!(narrow.holds(Some(address)));
            for client in [client, address] {
                prop_assert!(!narrow.holds(Some(client)) || wide.holds(Some(client)));
            }
        }
    }
}
