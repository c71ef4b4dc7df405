//! What a server sends before the login is over: greeting, AuthSwitchRequest, ERR.

use headgate::auth::NONCE_LEN;
use headgate::wire::auth_switch::AuthSwitch;
use headgate::wire::err::ErrPacket;
use headgate::wire::greeting::Greeting;

/// The payload of a server's packet.
pub fn check(payload: &[u8]) {
    if let Ok(greeting) = Greeting::parse(payload)
        && greeting.nonce.len() == NONCE_LEN
    {
        assert_eq!(Greeting::parse(&greeting.payload()), Ok(greeting));
    }
    if let Ok(switch) = AuthSwitch::parse(payload) {
        assert_eq!(AuthSwitch::parse(&switch.payload()), Ok(switch));
    }
    if let Ok(error) = ErrPacket::parse(payload) {
        let _ = error.to_string();
        assert_eq!(ErrPacket::parse(&error.payload()), Ok(error));
    }
}
