//! What a client sends before it is anyone: SSLRequest and login request; and before it is somebody else.

use headgate::wire::capabilities::Capabilities;
use headgate::wire::change_user;
use headgate::wire::login_request::{FIXED_PART, LoginRequest, MAX_ATTRIBUTES, capabilities, is_tls_request};

/// The payload of the client's first packet.
pub fn check(payload: &[u8]) {
    assert!(!is_tls_request(payload) || payload.len() == FIXED_PART);
    another_login(payload);
    let parsed = LoginRequest::parse(payload);
    let _ = format!("{parsed:?}");
    let Ok(request) = parsed else { return };
    // MariaDB's further ones stand behind them.
    let first = request.capabilities & Capabilities(u64::from(u32::MAX));
    assert_eq!(capabilities(payload), Ok(first));
    assert!(request.schema.as_deref() != Some(b""), "an empty schema is none");
    let held: usize = request.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(held <= MAX_ATTRIBUTES && held <= payload.len(), "nothing is made up");
    a_server_would_read_the_same(&request);
}

fn a_server_would_read_the_same(request: &LoginRequest) {
    let sent = LoginRequest::parse(&request.payload()).unwrap();
    let fields = |request: &LoginRequest| LoginRequest { capabilities: sent.capabilities, ..request.clone() };
    assert!(fields(&sent) == fields(request), "{sent:?} for {request:?}");
    assert!(is_tls_request(&request.tls_request_payload()));
}

/// COM_CHANGE_USER of clients that agreed on much and on little.
fn another_login(payload: &[u8]) {
    for agreed in [Capabilities::OFFERED, Capabilities::PROTOCOL_41] {
        let Ok(request) = change_user::parse(payload, agreed) else { continue };
        let _ = format!("{request:?}");
        assert!(request.schema.as_deref() != Some(b""), "an empty schema is none");
        let held: usize = request.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(held <= MAX_ATTRIBUTES && held <= payload.len(), "nothing is made up");
        assert!(agreed.contains(Capabilities::PLUGIN_AUTH) || request.plugin.is_none());
        a_server_would_read_the_same(&LoginRequest {
            capabilities: request.capabilities | Capabilities::SECURE_CONNECTION | Capabilities::PROTOCOL_41,
            ..request
        });
    }
}
