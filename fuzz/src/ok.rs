//! OK packets, read and rewritten in place.

use headgate::wire::ok::{EOF, OkPacket};
use headgate::wire::session_track::{Change, Wish, entries};
use headgate::wire::status::StatusFlags;

/// The payload of an OK packet.
pub fn check(payload: &[u8]) {
    let Ok(ok) = OkPacket::parse(payload) else { return };
    assert_eq!(ok.eof_payload()[0], EOF);
    if ok.for_each_change(|_| {}).is_err() {
        assert!(ok.put_for_client(&mut Vec::new(), Wish::Everything).is_err());
        return;
    }
    for wish in [Wish::Nothing, Wish::Defaults, Wish::Everything] {
        rewritten(payload, &ok, wish);
    }
}

fn rewritten(payload: &[u8], ok: &OkPacket<'_>, wish: Wish) {
    let mut out = Vec::new();
    ok.put_for_client(&mut out, wish).unwrap();
    assert!(out.len() <= payload.len(), "the place of the old packet is large enough");
    let again = OkPacket::parse(&out).unwrap();
    let told = again.status.contains(StatusFlags::SESSION_STATE_CHANGED);
    assert_eq!(told, !again.session_state.is_empty());
    let hidden = |status: StatusFlags| status.without(StatusFlags::SESSION_STATE_CHANGED);
    assert_eq!(
        (again.header, again.affected_rows, again.last_insert_id, hidden(again.status), again.warnings),
        (ok.header, ok.affected_rows, ok.last_insert_id, hidden(ok.status), ok.warnings)
    );
    assert_eq!(again.info, ok.info);
    match wish {
        Wish::Nothing => assert!(again.session_state.is_empty()),
        Wish::Everything => assert_eq!(again.session_state, ok.session_state),
        Wish::Defaults => assert_eq!(wanted(again.session_state, wish), wanted(ok.session_state, wish)),
    }
    let mut twice = Vec::new();
    again.put_for_client(&mut twice, wish).unwrap();
    assert_eq!(twice, out, "what fits a client already stays as it is");
}

/// The changes a client wants to hear of.
fn wanted(info: &[u8], wish: Wish) -> Vec<Change<'_>> {
    entries(info).map(|entry| entry.unwrap().change).filter(|change| wish.includes(change)).collect()
}
