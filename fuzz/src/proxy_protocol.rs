//! PROXY headers, as whoever may connect from a proxy's address can send them.

use headgate::wire::proxy_protocol::{Announced, Progress, header, read};

/// What has come on a connection, read as the door reads it: only as many bytes as are asked for.
pub fn check(bytes: &[u8]) {
    let mut have = 0;
    let read_in_steps = loop {
        match read(&bytes[..have]) {
            Ok(Progress::Needs(n)) => {
                assert!(n > have, "{n} after {have}");
                match n <= bytes.len() {
                    true => have = n,
                    false => return,
                }
            }
            other => break other,
        }
    };
    if let Ok(Progress::Whole { len, announced }) = read_in_steps {
        assert_eq!(len, have, "not a byte more");
        // What it says can be said again.
        let again = header(announced);
        assert_eq!(read(&again), Ok(Progress::Whole { len: again.len(), announced }));
        if let Announced::Client(client) = announced {
            assert_eq!(client.ip(), client.ip().to_canonical());
        }
    }
    // However much has come at once, the answer is the same.
    if read_in_steps.is_ok() {
        assert_eq!(read(bytes), read_in_steps);
    }
}
