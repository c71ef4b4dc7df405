//! A login of a client that sends what it likes.

use std::sync::{Arc, OnceLock};

use headgate::auth::rsa::KeyPair;
use headgate::auth::server_side::{Exchange, Setup, Shown, Step};
use headgate::auth::{Accounts, Method, NONCE_LEN, Nonce, Secret, StoredAccount};

use super::source::Source;

/// Longer than any exchange.
const MOST_STEPS: usize = 12;

const METHODS: [&[u8]; 5] = [
    b"caching_sha2_password",
    b"mysql_native_password",
    b"sha256_password",
    b"mysql_clear_password",
    b"dialog",
];

/// Choices, then the client's packets.
pub fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let secure = source.flag();
    let known = source.flag().then(|| Secret::from_password(b"secret").unwrap());
    let told_in_advance = known.is_some();
    let mut exchange = Exchange::new(Setup {
        advertised: Method::from_name(source.choose(&METHODS[..3])),
        nonce: Nonce::from_random([7; NONCE_LEN]),
        switch_nonce: Nonce::from_random([8; NONCE_LEN]),
        secure,
        rsa: Arc::clone(key()),
        known,
    });
    let plugin = match source.below(8) {
        0 => None,
        1 => Some(source.chunk()),
        _ => Some(source.choose(&METHODS)),
    };
    let answer = packet(&mut source);
    let mut step = exchange.start(plugin, &answer);
    let mut switches = 0;
    for _ in 0..MOST_STEPS {
        step = match step {
            Step::Send(payload) => {
                switches += usize::from(payload.first() == Some(&0xFE));
                assert!(switches <= 1, "client libraries understand one AuthSwitchRequest");
                assert!(
                    plugin.is_some() || switches == 0,
                    "a client that names no method cannot be switched"
                );
                exchange.on_packet(&packet(&mut source))
            }
            Step::Lookup => exchange.on_accounts(accounts(&mut source)),
            Step::Prove { shown, .. } => {
                if let Shown::Secret(Secret::Clear(_)) = shown {
                    assert!(secure || told_in_advance, "nobody here can encrypt with a key never shown");
                }
                if source.flag() {
                    return;
                }
                exchange.on_password_needed()
            }
            Step::Refuse(error) => {
                assert!(error.code > 0 && error.message.starts_with(b"headgate: "));
                return;
            }
        };
    }
    panic!("the exchange does not end");
}

/// Made once: what is done with it does not depend on which key it is.
fn key() -> &'static Arc<KeyPair> {
    static KEY: OnceLock<Arc<KeyPair>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(KeyPair::generate().unwrap()))
}

/// A packet of any length, or of one that a method expects.
fn packet(source: &mut Source<'_>) -> Vec<u8> {
    let mut packet = match source.below(8) {
        0 => return Vec::new(),
        1 => return vec![source.byte()],
        _ => source.chunk().to_vec(),
    };
    match source.below(5) {
        0 => packet.resize(20, 0),
        1 => packet.resize(32, 0),
        2 => packet.resize(key().ciphertext_len(), 0),
        3 => packet.push(0),
        _ => {}
    }
    packet
}

fn accounts(source: &mut Source<'_>) -> Accounts {
    if source.flag() {
        return Accounts::Unavailable;
    }
    let row = |source: &mut Source<'_>| StoredAccount::parse(source.choose(&METHODS), source.chunk());
    Accounts::Rows((0..source.below(4)).map(|_| row(source)).collect())
}
