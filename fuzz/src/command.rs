//! A client's command: what is planned for it, where its text is, what the text does.

use headgate::frontend::plan::{Plan, query_text};
use headgate::sql::classify;
use headgate::wire::command::Command;
use headgate::wire::execute::{Execute, binds_strings};

use super::lexer::mode_of;

/// One byte of mode (bit 4: attributes were negotiated), then the payload of a command.
pub fn check(bytes: &[u8]) {
    let Some((&mode, payload)) = bytes.split_first() else { return };
    let Some(&byte) = payload.first() else {
        assert_eq!((query_text(payload, false), query_text(payload, true)), (None, None));
        return;
    };
    let plan = Plan::of(byte);
    assert_eq!(plan == Plan::Quit, byte == Command::Quit as u8);
    assert_eq!(plan == Plan::Query, byte == Command::Query as u8);
    assert!(Command::of(byte).is_some() || plan == Plan::Unknown);
    for parameters in [0, 1, 9, u16::MAX] {
        an_execution_holds_its_types(payload, parameters, mode & 16 != 0);
    }
    let Some(text) = query_text(payload, mode & 16 != 0) else {
        assert!(mode & 16 != 0, "without attributes everything is text");
        return;
    };
    assert!(payload.ends_with(text) && text.len() < payload.len());
    let mode = mode_of(mode);
    let statement = classify(text, mode);
    // The server cuts these off before it reads the text.
    assert_eq!(classify(&[text, b" ;\n"].concat(), mode), statement);
}

/// The types stand behind the byte that announces them.
fn an_execution_holds_its_types(payload: &[u8], parameters: u16, attributes: bool) {
    let Ok(Some(read)) = Execute::parse(payload, parameters, attributes) else { return };
    match read.types {
        Some(types) => {
            assert_eq!(payload[read.new_types], 1);
            assert!(payload[read.new_types + 1..].starts_with(types));
            let _ = binds_strings(types, attributes);
        }
        None if parameters == 0 => assert!(!read.wants_types()),
        None => assert!(read.wants_types() && payload[read.new_types] == 0),
    }
}
