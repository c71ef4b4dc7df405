//! What a client sends before it is anyone: SSLRequest and login request.

use headgate::wire::login_request::{FIXED_PART, LoginRequest, MAX_ATTRIBUTES, capabilities, is_tls_request};

/// The payload of the client's first packet.
pub fn check(payload: &[u8]) {
    assert!(!is_tls_request(payload) || payload.len() == FIXED_PART);
    let parsed = LoginRequest::parse(payload);
    let _ = format!("{parsed:?}");
    let Ok(request) = parsed else { return };
    assert_eq!(capabilities(payload), Ok(request.capabilities));
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
