//! Both sides against each other: a client's, then a server's, with Headgate's two halves between.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;

use super::client_side::{self, Channel, Failure, FirstAnswer};
use super::rsa::KeyPair;
use super::server_side::{self, Shown};
use super::{Accounts, MAX_PASSWORD, Method, Nonce, Secret, StoredAccount};

/// RSA keys are slow to make in debug builds.
fn rsa() -> Arc<KeyPair> {
    static KEY: OnceLock<Arc<KeyPair>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(KeyPair::generate().unwrap())))
}

fn password(text: &[u8]) -> Secret {
    Secret::from_password(text).unwrap()
}

fn setup(advertised: Method, secure: bool, known: Option<Secret>) -> server_side::Setup {
    let nonce = Nonce::from_random([0x33; 20]);
    let switch_nonce = Nonce::from_random([0x55; 20]);
    server_side::Setup { advertised, nonce, switch_nonce, secure, rsa: rsa(), known }
}

fn native_row(text: &[u8]) -> StoredAccount {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text);
    let stored = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, hash.as_ref());
    let digits: String = stored.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    StoredAccount::parse(b"mysql_native_password", format!("*{digits}").as_bytes())
}

fn row(plugin: &str) -> StoredAccount {
    StoredAccount::parse(plugin.as_bytes(), b"whatever")
}

/// How a login ended, in words that tables can hold.
fn outcome(step: &server_side::Step) -> String {
    match step {
        server_side::Step::Send(payload) => format!("send {:?}", payload.first()),
        server_side::Step::Lookup => "lookup".into(),
        server_side::Step::Prove { shown: Shown::Wrong, .. } => "wrong".into(),
        server_side::Step::Prove { shown: Shown::Secret(secret), fast } => {
            let kind = match secret {
                Secret::Empty => "empty".into(),
                Secret::Clear(text) => format!("clear {}", String::from_utf8_lossy(text)),
                Secret::NativeHash(_) => "hash".into(),
            };
            if *fast { format!("{kind}, fast") } else { kind }
        }
        server_side::Step::Refuse(error) => format!("refuse {}", error.code),
    }
}

/// One login of a client (our own client side) at our server side.
struct Login {
    advertised: Method,
    opens_with: Method,
    channel: Channel,
    known: Option<Secret>,
    accounts: Accounts,
    /// A library that answers only its own method, like libmysqlclient.
    waits_for_switch: bool,
    switches: usize,
    lookups: usize,
}

impl Login {
    fn new(advertised: Method, opens_with: Method, channel: Channel) -> Self {
        let accounts = Accounts::Unavailable;
        Self {
            advertised,
            opens_with,
            channel,
            known: None,
            accounts,
            waits_for_switch: false,
            switches: 0,
            lookups: 0,
        }
    }

    fn accounts(mut self, rows: &[StoredAccount]) -> Self {
        self.accounts = Accounts::Rows(rows.to_vec());
        self
    }

    fn known(mut self, secret: Secret) -> Self {
        self.known = Some(secret);
        self
    }

    fn waits_for_switch(mut self) -> Self {
        self.waits_for_switch = true;
        self
    }

    fn run(&mut self, client_secret: &[u8]) -> String {
        let secure = self.channel != Channel::Plain;
        let setup = setup(self.advertised.clone(), secure, self.known.as_ref().map(Secret::duplicate));
        let nonce = setup.nonce;
        let mut server = server_side::Exchange::new(setup);
        let client_setup = client_side::Setup {
            secret: password(client_secret),
            channel: self.channel,
            may_ask_key: true,
            may_send_clear: true,
        };
        let (mut client, first) =
            client_side::Exchange::open_with(client_setup, self.opens_with.clone(), nonce).unwrap();
        let response = if self.waits_for_switch { Vec::new() } else { first.response.to_vec() };
        let mut step = server.start(Some(&first.plugin), &response);
        loop {
            step = match step {
                server_side::Step::Send(payload) => {
                    self.switches += usize::from(payload.first() == Some(&0xFE));
                    match client.on_packet(&payload) {
                        client_side::Step::Send(answer) => server.on_packet(&answer),
                        other => return format!("client: {other:?}"),
                    }
                }
                server_side::Step::Lookup => {
                    self.lookups += 1;
                    server.on_accounts(self.accounts.clone())
                }
                end => return outcome(&end),
            };
        }
    }
}

const CHANNELS: [Channel; 4] = [Channel::Plain, Channel::Local, Channel::Encrypted, Channel::Verified];

#[test]
fn every_method_on_every_channel_yields_the_password() {
    for advertised in [Method::CachingSha2, Method::Native] {
        for opens_with in [Method::CachingSha2, Method::Sha256] {
            for channel in CHANNELS {
                let mut login = Login::new(advertised.clone(), opens_with.clone(), channel);
                assert_eq!(login.run(b"secret"), "clear secret", "{opens_with} {channel:?}");
                assert_eq!((login.switches, login.lookups), (0, 0));
            }
        }
    }
    for channel in [Channel::Local, Channel::Verified] {
        let mut login = Login::new(Method::CachingSha2, Method::Clear, channel);
        assert_eq!(login.run(b"secret"), "clear secret");
    }
}

#[test]
fn a_client_that_waits_to_be_switched_is_switched_once() {
    for advertised in [Method::CachingSha2, Method::Native] {
        for opens_with in [Method::CachingSha2, Method::Sha256] {
            for channel in CHANNELS {
                if opens_with == advertised {
                    continue;
                }
                let mut login =
                    Login::new(advertised.clone(), opens_with.clone(), channel).waits_for_switch();
                assert_eq!(login.run(b"secret"), "clear secret");
                assert_eq!(login.switches, 1);
                let mut login =
                    Login::new(advertised.clone(), opens_with.clone(), channel).waits_for_switch();
                assert_eq!(login.run(b""), "empty");
            }
        }
    }
}

#[test]
fn an_empty_password_needs_no_exchange() {
    for channel in CHANNELS {
        for method in [Method::CachingSha2, Method::Native] {
            let mut login = Login::new(method.clone(), method, channel);
            assert_eq!(login.run(b""), "empty");
            assert_eq!((login.switches, login.lookups), (0, 0));
        }
    }
    // libmysqlclient says "no password" with one NUL.
    let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, false, None));
    assert_eq!(outcome(&exchange.start(Some(b"caching_sha2_password"), &[0])), "empty");
    let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, false, None));
    assert_eq!(outcome(&exchange.start(Some(b"sha256_password"), &[0])), "empty");
}

#[test]
fn a_known_secret_spares_the_full_exchange_only_when_it_is_right() {
    for channel in CHANNELS {
        let login = |known: &[u8]| {
            Login::new(Method::CachingSha2, Method::CachingSha2, channel).known(password(known)).run(b"new")
        };
        assert_eq!(login(b"new"), "clear new, fast");
        assert_eq!(login(b"old"), "clear new");
        assert_eq!(login(b""), "clear new");
        let mut native = Login::new(Method::Native, Method::Native, channel).known(password(b"new"));
        assert_eq!(native.run(b"new"), "clear new");
        assert_eq!(native.lookups, 0);
    }
}

#[test]
fn native_clients_by_their_accounts() {
    let check = |advertised: Method, rows: Option<&[StoredAccount]>, expected: &str, switches: usize| {
        let mut login = Login::new(advertised, Method::Native, Channel::Plain);
        if let Some(rows) = rows {
            login = login.accounts(rows);
        }
        assert_eq!(login.run(b"secret"), expected);
        assert_eq!((login.switches, login.lookups), (switches, 1));
    };
    for advertised in [Method::CachingSha2, Method::Native] {
        check(advertised.clone(), Some(&[native_row(b"secret")]), "hash", 0);
        check(advertised.clone(), Some(&[native_row(b"else"), native_row(b"secret")]), "hash", 0);
        check(advertised.clone(), Some(&[native_row(b"else")]), "wrong", 0);
        check(
            advertised.clone(),
            Some(&[native_row(b"else"), row("caching_sha2_password")]),
            "clear secret",
            1,
        );
        check(advertised.clone(), Some(&[row("ed25519")]), "clear secret", 1);
        check(advertised, None, "clear secret", 1);
    }
    // A name without accounts looks like one with the default method.
    check(Method::CachingSha2, Some(&[]), "clear secret", 1);
    check(Method::Native, Some(&[]), "wrong", 0);
}

#[test]
fn native_clients_that_wait_are_switched_to_what_their_account_needs() {
    let login = |rows: &[StoredAccount]| {
        Login::new(Method::CachingSha2, Method::Native, Channel::Plain).waits_for_switch().accounts(rows)
    };
    for (rows, text, expected) in [
        (vec![native_row(b"secret")], &b"secret"[..], "hash"),
        (vec![native_row(b"secret")], b"else", "wrong"),
        (vec![native_row(b"secret")], b"", "empty"),
        (vec![row("caching_sha2_password")], b"secret", "clear secret"),
        (vec![], b"secret", "clear secret"),
    ] {
        let mut login = login(&rows);
        assert_eq!(login.run(text), expected);
        assert_eq!((login.switches, login.lookups), (1, 1));
    }
}

#[test]
fn unknown_methods_are_switched_to_the_default() {
    let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, true, None));
    let server_side::Step::Send(request) = exchange.start(Some(b"client_ed25519"), b"whatever") else {
        panic!("a switch was due");
    };
    assert!(request.starts_with(b"\xFEcaching_sha2_password\0"));

    let mut exchange = server_side::Exchange::new(setup(Method::Native, true, None));
    assert_eq!(outcome(&exchange.start(Some(b"dialog"), b"")), "lookup");
    let server_side::Step::Send(request) = exchange.on_accounts(Accounts::Rows(vec![])) else {
        panic!("a switch was due");
    };
    assert!(request.starts_with(b"\xFEmysql_native_password\0"));
}

#[test]
fn clients_without_plugins_cannot_be_switched() {
    let answer = |text: &[u8]| password(text).native_answer(&Nonce::from_random([0x33; 20]));
    let run = |rows: Accounts| {
        let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, true, None));
        assert_eq!(outcome(&exchange.start(None, &answer(b"secret"))), "lookup");
        outcome(&exchange.on_accounts(rows))
    };
    assert_eq!(run(Accounts::Rows(vec![native_row(b"secret")])), "hash");
    assert_eq!(run(Accounts::Rows(vec![native_row(b"else")])), "wrong");
    assert_eq!(run(Accounts::Rows(vec![row("caching_sha2_password")])), "refuse 1251");
    assert_eq!(run(Accounts::Unavailable), "refuse 1251");
    let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, true, None));
    assert_eq!(outcome(&exchange.start(None, b"")), "empty");
}

#[test]
fn when_the_primary_wants_the_password_the_client_is_switched() {
    let answer = password(b"secret").native_answer(&Nonce::from_random([0x33; 20]));
    let mut exchange = server_side::Exchange::new(setup(Method::Native, true, None));
    exchange.start(Some(b"mysql_native_password"), &answer);
    assert_eq!(outcome(&exchange.on_accounts(Accounts::Rows(vec![native_row(b"secret")]))), "hash");
    assert_eq!(outcome(&exchange.on_password_needed()), "send Some(254)");
    assert_eq!(outcome(&exchange.on_password_needed()), "refuse 1251");
}

#[test]
fn passwords_in_the_open_are_refused() {
    let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, false, None));
    assert_eq!(outcome(&exchange.start(Some(b"mysql_clear_password"), b"secret\0")), "refuse 1251");
    let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, false, None));
    exchange.start(Some(b"caching_sha2_password"), &[7; 32]);
    assert_eq!(outcome(&exchange.on_packet(b"secret\0")), "refuse 1043");
}

#[test]
fn envelopes_made_for_another_key_are_refused_with_a_hint() {
    let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, false, None));
    exchange.start(Some(b"caching_sha2_password"), &[7; 32]);
    let server_side::Step::Refuse(error) = exchange.on_packet(&[9; 256]) else {
        panic!("garbage was taken for a password");
    };
    assert_eq!((error.code, &error.state), (1045, b"28000"));
    assert!(error.text().contains("another key"));
}

#[test]
fn wrong_lengths_are_bad_handshakes() {
    for (plugin, answer) in [
        (&b"caching_sha2_password"[..], &[1; 31][..]),
        (b"mysql_native_password", &[1; 21]),
        (b"sha256_password", &[1; 300]),
    ] {
        let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, false, None));
        assert_eq!(outcome(&exchange.start(Some(plugin), answer)), "refuse 1043");
    }
    let mut exchange = server_side::Exchange::new(setup(Method::CachingSha2, true, None));
    exchange.start(Some(b"caching_sha2_password"), &[7; 32]);
    let long = [&[b'x'; MAX_PASSWORD + 1][..], &[0]].concat();
    assert_eq!(outcome(&exchange.on_packet(&long)), "refuse 1043");
}

/// Starts a login at a scripted server.
fn towards(secret: Secret, channel: Channel, plugin: &str) -> (client_side::Exchange, FirstAnswer) {
    let setup = client_side::Setup { secret, channel, may_ask_key: false, may_send_clear: false };
    client_side::Exchange::start(setup, plugin.as_bytes(), &[0x33; 20]).unwrap()
}

fn switch(plugin: &str) -> Vec<u8> {
    [b"\xFE", plugin.as_bytes(), b"\0", &[0x55; 20], b"\0"].concat()
}

#[test]
fn a_hash_answers_native_only() {
    let (mut exchange, first) = towards(Secret::wrong([1; 20]), Channel::Verified, "caching_sha2_password");
    assert_eq!((first.plugin.as_slice(), first.response.len()), (&b"mysql_native_password"[..], 20));
    let failed = client_side::Step::Failed(Failure::NeedsPassword { method: Method::CachingSha2 });
    assert_eq!(exchange.on_packet(&switch("caching_sha2_password")), failed);
}

#[test]
fn no_password_leaves_readable_on_an_open_channel() {
    let (mut exchange, _) = towards(password(b"secret"), Channel::Plain, "caching_sha2_password");
    let not_allowed = |method| client_side::Step::Failed(Failure::KeyNotAllowed { method });
    assert_eq!(exchange.on_packet(&[1, 4]), not_allowed(Method::CachingSha2));

    let (mut exchange, first) = towards(password(b"secret"), Channel::Plain, "sha256_password");
    assert_eq!(first.plugin, b"caching_sha2_password");
    assert_eq!(exchange.on_packet(&switch("sha256_password")), not_allowed(Method::Sha256));

    for (channel, allowed, sent) in [
        (Channel::Plain, true, false),
        (Channel::Encrypted, true, false),
        (Channel::Verified, false, false),
        (Channel::Verified, true, true),
        (Channel::Local, true, true),
    ] {
        let setup = client_side::Setup {
            secret: password(b"secret"),
            channel,
            may_ask_key: true,
            may_send_clear: allowed,
        };
        let (mut exchange, first) =
            client_side::Exchange::start(setup, b"mysql_clear_password", &[0x33; 20]).unwrap();
        assert_eq!(first.plugin, b"caching_sha2_password");
        let step = exchange.on_packet(&switch("mysql_clear_password"));
        match step {
            client_side::Step::Send(payload) => {
                assert!(sent);
                assert_eq!(payload.as_slice(), b"secret\0");
            }
            other => assert!(!sent && matches!(other, client_side::Step::Failed(_)), "{other:?}"),
        }
    }
}

#[test]
fn verdicts_and_dead_ends() {
    let start = || towards(password(b"secret"), Channel::Verified, "caching_sha2_password").0;
    assert_eq!(start().on_packet(&[1, 3]), client_side::Step::Wait);
    assert_eq!(start().on_packet(&[0, 0, 0, 2, 0, 0, 0]), client_side::Step::Accepted);
    let client_side::Step::Refused(error) = start().on_packet(b"\xff\x15\x04#28000Access denied") else {
        panic!("an ERR is a refusal");
    };
    assert_eq!(error.code, 1045);

    let failed = client_side::Step::Failed;
    assert_eq!(start().on_packet(&[0xFE]), failed(Failure::OldProtocol));
    assert_eq!(start().on_packet(&[2, b'x', 0]), failed(Failure::MultiFactor));
    assert_eq!(start().on_packet(&[]), failed(Failure::Unexpected { what: "first byte" }));
    let ed25519 = Failure::UnsupportedMethod { method: Method::Unsupported("client_ed25519".into()) };
    assert!(ed25519.to_client().text().contains("client_ed25519"));
    assert_eq!(ed25519.to_client().code, 1251);
    assert_eq!(start().on_packet(&switch("client_ed25519")), failed(ed25519));
    let mut twice = start();
    assert!(matches!(twice.on_packet(&switch("mysql_native_password")), client_side::Step::Send(_)));
    assert_eq!(twice.on_packet(&switch("mysql_native_password")), failed(Failure::TooManySwitches));
}

#[test]
fn a_bad_key_or_a_long_password_stops_the_login() {
    let start = |text: &[u8]| {
        let setup = client_side::Setup {
            secret: password(text),
            channel: Channel::Plain,
            may_ask_key: true,
            may_send_clear: false,
        };
        let (mut exchange, _) =
            client_side::Exchange::start(setup, b"caching_sha2_password", &[0x33; 20]).unwrap();
        assert_eq!(exchange.on_packet(&[1, 4]), client_side::Step::Send(vec![2].into()));
        exchange
    };
    assert_eq!(start(b"secret").on_packet(b"\x01nonsense"), client_side::Step::Failed(Failure::BadKey));
    let key = [b"\x01", rsa().public_pem().as_bytes()].concat();
    assert_eq!(start(&[b'x'; 300]).on_packet(&key), client_side::Step::Failed(Failure::PasswordTooLong));
    assert!(matches!(start(b"secret").on_packet(&key), client_side::Step::Send(_)));
}

/// Packets that get further than random bytes do.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        Just(vec![1, 3]),
        Just(vec![1, 4]),
        Just(vec![1]),
        Just(vec![2]),
        Just(vec![0; 20]),
        Just(vec![9; 32]),
        Just(vec![9; 256]),
        Just(switch("caching_sha2_password")),
        Just(switch("sha256_password")),
        Just(b"secret\0".to_vec()),
        Just([b"\x01", rsa().public_pem().as_bytes()].concat()),
    ]
}

fn plugins() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        Just(None),
        proptest::collection::vec(any::<u8>(), 0..80).prop_map(Some),
        proptest::sample::select(vec![
            "caching_sha2_password",
            "mysql_native_password",
            "sha256_password",
            "mysql_clear_password",
            "dialog",
        ])
        .prop_map(|name| Some(name.as_bytes().to_vec())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a client sends, each step leads to an end, and nothing panics.
    #[test]
    fn no_client_breaks_the_server_side(
        plugin in plugins(),
        first in packets(),
        then in proptest::collection::vec(packets(), 0..6),
        native_default: bool,
        secure: bool,
        knows: bool,
        unavailable: bool,
    ) {
        let advertised = if native_default { Method::Native } else { Method::CachingSha2 };
        let known = knows.then(|| password(b"secret"));
        let mut exchange = server_side::Exchange::new(setup(advertised, secure, known));
        let mut step = exchange.start(plugin.as_deref(), &first);
        let mut sent = 0;
        let mut then = then.into_iter();
        loop {
            step = match step {
                server_side::Step::Send(payload) => {
                    sent += 1;
                    prop_assert!(!payload.is_empty());
                    match then.next() {
                        Some(packet) => exchange.on_packet(&packet),
                        None => break,
                    }
                }
                server_side::Step::Lookup if unavailable => exchange.on_accounts(Accounts::Unavailable),
                server_side::Step::Lookup => exchange.on_accounts(Accounts::Rows(vec![native_row(b"x")])),
                server_side::Step::Prove { .. } | server_side::Step::Refuse(_) => break,
            };
        }
        // A switch, the wish for the password, the key.
        prop_assert!(sent <= 3);
    }

    /// Whatever a server sends, the password is not in what we send over an open channel.
    #[test]
    fn no_server_gets_the_password_over_an_open_channel(
        plugin in plugins(),
        nonce in prop_oneof![Just(vec![0x33; 20]), proptest::collection::vec(any::<u8>(), 0..40)],
        then in proptest::collection::vec(packets(), 0..8),
    ) {
        let secret = b"correct horse battery staple";
        let setup = client_side::Setup {
            secret: password(secret),
            channel: Channel::Plain,
            may_ask_key: true,
            may_send_clear: true,
        };
        let shows = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        if let Ok((mut exchange, first)) =
            client_side::Exchange::start(setup, plugin.as_deref().unwrap_or_default(), &nonce)
        {
            prop_assert!(!shows(&first.response));
            for packet in then {
                match exchange.on_packet(&packet) {
                    client_side::Step::Send(payload) => prop_assert!(!shows(&payload)),
                    client_side::Step::Wait => {}
                    _ => break,
                }
            }
        }
    }

    /// Whatever the password, method and channel, the password arrives as it was.
    #[test]
    fn passwords_arrive_whole(
        text in proptest::collection::vec(1u8..=255, 0..200),
        method in proptest::sample::select(vec![Method::CachingSha2, Method::Sha256, Method::Clear]),
        channel in proptest::sample::select(CHANNELS.to_vec()),
    ) {
        prop_assume!(method != Method::Clear || matches!(channel, Channel::Verified | Channel::Local));
        let mut front = Login::new(Method::CachingSha2, method.clone(), channel);
        let expected = if text.is_empty() {
            "empty".to_owned()
        } else {
            format!("clear {}", String::from_utf8_lossy(&text))
        };
        prop_assert_eq!(front.run(&text), expected);
    }
}
