//! A login at a server that sends what it likes, and would like to see the password.

use headgate::auth::Secret;
use headgate::auth::client_side::{Channel, Exchange, Setup, Step};

use super::source::Source;

const PASSWORD: &[u8] = b"not for everyone's eyes";
const CHANNELS: [Channel; 4] = [Channel::Plain, Channel::Local, Channel::Encrypted, Channel::Verified];
const METHODS: [&[u8]; 5] =
    [b"caching_sha2_password", b"mysql_native_password", b"sha256_password", b"mysql_clear_password", b""];

/// Choices, then the server's packets.
pub fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let channel = source.choose(&CHANNELS);
    let secret = match source.below(3) {
        0 => Secret::Empty,
        1 => Secret::NativeHash([9; 20].into()),
        _ => Secret::from_password(PASSWORD).unwrap(),
    };
    let setup = Setup { secret, channel, may_ask_key: source.flag(), may_send_clear: source.flag() };
    let plugin = if source.flag() { source.choose(&METHODS) } else { source.chunk() };
    let nonce = if source.flag() { &[5; 20][..] } else { source.chunk() };
    let Ok((mut exchange, first)) = Exchange::start(setup, plugin, nonce) else { return };
    assert!(!shows_password(&first.response), "nothing is shown before the server asks");
    while !source.is_empty() {
        let packet = packet(&mut source);
        match exchange.on_packet(&packet) {
            Step::Send(answer) => {
                assert!(channel != Channel::Plain || !shows_password(&answer), "others can read this");
            }
            Step::Wait => {}
            Step::Accepted => return assert_eq!(packet.first(), Some(&0)),
            Step::Refused(_) => return assert_eq!(packet.first(), Some(&0xFF)),
            Step::Failed(failure) => {
                assert!(!failure.to_client().message.is_empty());
                return;
            }
        }
    }
}

/// Any bytes, or a switch to a method that is known.
fn packet(source: &mut Source<'_>) -> Vec<u8> {
    match source.below(4) {
        0 => [&b"\xfe"[..], source.choose(&METHODS), b"\x00abcdefghijklmnopqrst\x00"].concat(),
        1 => vec![1, source.byte()],
        2 => [&[1], source.chunk()].concat(),
        _ => source.chunk().to_vec(),
    }
}

fn shows_password(bytes: &[u8]) -> bool {
    bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD)
}
