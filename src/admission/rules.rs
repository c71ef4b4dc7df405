//! The rules, and what they say of a client.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroUsize;

use super::network::Networks;
use super::refusal::Refusal;

/// Who may come in. [`Default`] lets everybody in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Proxies whose word is taken for who their clients are.
    pub proxies: Networks,
    /// Where clients may be; anywhere, if empty.
    pub allow: Networks,
    /// Where clients may not be, whatever `allow` says.
    pub deny: Networks,
    /// Most clients at one address.
    pub per_address: Option<NonZeroUsize>,
    /// Most clients of one user that has no limit of its own.
    pub per_user: Option<NonZeroUsize>,
    /// Rules for single users.
    pub users: BTreeMap<Box<[u8]>, UserRule>,
}

/// What holds for one user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserRule {
    /// Where its clients may be; anywhere, if empty.
    pub from: Networks,
    /// Most clients at once, instead of [`Rules::per_user`].
    pub max: Option<NonZeroUsize>,
}

impl Rules {
    /// Whether a PROXY header from there is read and believed.
    #[must_use]
    pub fn believes(&self, peer: Option<IpAddr>) -> bool {
        self.proxies.holds(peer)
    }

    /// Whether clients from an address may come in at all. Unix sockets are not asked about: the permissions of
    /// the file have decided.
    ///
    /// # Errors
    /// They may not.
    pub fn address(&self, address: IpAddr) -> Result<(), Refusal> {
        let wanted = self.allow.is_empty() || self.allow.holds(Some(address));
        if wanted && !self.deny.holds(Some(address)) { Ok(()) } else { Err(Refusal::Address { address }) }
    }

    /// Whether a user may come from there; `None` is a Unix socket, whose clients are where the loopback
    /// addresses are.
    #[must_use]
    pub fn user_may_come_from(&self, user: &[u8], client: Option<IpAddr>) -> bool {
        let Some(UserRule { from, .. }) = self.users.get(user) else { return true };
        let local = || client.is_none() && LOOPBACK.into_iter().any(|address| from.holds(Some(address)));
        from.is_empty() || from.holds(client) || local()
    }

    /// Most clients of a user at once.
    #[must_use]
    pub fn limit_of_user(&self, user: &[u8]) -> Option<NonZeroUsize> {
        self.users.get(user).and_then(|rule| rule.max).or(self.per_user)
    }
}

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

#[cfg(test)]
mod tests {
    use super::super::Network;
    use super::*;

    fn networks(texts: &[(&str, u8)]) -> Networks {
        texts.iter().map(|(text, prefix)| Network::range(text.parse().unwrap(), *prefix)).collect()
    }

    #[test]
    fn deny_wins_and_an_empty_allow_lets_all_in() {
        let check = |allow: &[(&str, u8)], deny: &[(&str, u8)], client: &str, may| {
            let rules = Rules { allow: networks(allow), deny: networks(deny), ..Rules::default() };
            assert_eq!(rules.address(client.parse().unwrap()).is_ok(), may, "{allow:?} {deny:?} {client}");
        };
        check(&[], &[], "192.0.2.1", true);
        check(&[], &[("192.0.2.0", 24)], "192.0.2.1", false);
        check(&[], &[("192.0.2.0", 24)], "192.0.3.1", true);
        check(&[("192.0.0.0", 16)], &[], "192.0.2.1", true);
        check(&[("192.0.0.0", 16)], &[], "192.1.2.1", false);
        check(&[("192.0.0.0", 16)], &[("192.0.2.1", 32)], "192.0.2.1", false);
        check(&[("192.0.2.1", 32)], &[("192.0.0.0", 16)], "192.0.2.1", false);
        check(&[("0.0.0.0", 0)], &[], "2001:db8::1", false);
        check(&[("192.0.0.0", 16)], &[], "::ffff:192.0.2.1", true);
    }

    #[test]
    fn a_proxy_on_this_machine_is_no_unix_socket() {
        let proxies = networks(&[("127.0.0.0", 8), ("::1", 128)]);
        let rules = Rules { proxies, ..Rules::default() };
        assert!(rules.believes(Some(LOOPBACK[0])) && rules.believes(Some(LOOPBACK[1])));
        assert!(!rules.believes(None));
        let rules = Rules { proxies: std::iter::once(Network::Unix).collect(), ..Rules::default() };
        assert!(rules.believes(None) && !rules.believes(Some(LOOPBACK[0])));
    }

    #[test]
    fn users_have_places_and_limits_of_their_own() {
        let five = NonZeroUsize::new(5);
        let rule = |from: &[(&str, u8)], max| UserRule { from: networks(from), max };
        let rules = Rules {
            per_user: NonZeroUsize::new(9),
            users: BTreeMap::from([
                (b"app".as_slice().into(), rule(&[("10.0.0.0", 8)], None)),
                (b"admin".as_slice().into(), rule(&[("::1", 128)], five)),
                (b"batch".as_slice().into(), rule(&[], five)),
            ]),
            ..Rules::default()
        };
        let check = |user: &str, client: Option<&str>, may, limit| {
            let from = client.map(|client| client.parse().unwrap());
            assert_eq!(rules.user_may_come_from(user.as_bytes(), from), may, "{user} {client:?}");
            assert_eq!(rules.limit_of_user(user.as_bytes()).map(NonZeroUsize::get), Some(limit), "{user}");
        };
        check("app", Some("10.1.1.1"), true, 9);
        check("app", Some("11.1.1.1"), false, 9);
        check("app", None, false, 9);
        check("admin", Some("127.0.0.1"), false, 5);
        check("admin", Some("::1"), true, 5);
        check("admin", None, true, 5);
        check("batch", Some("11.1.1.1"), true, 5);
        check("App", Some("11.1.1.1"), true, 9);
        check("nobody", Some("11.1.1.1"), true, 9);
    }
}
