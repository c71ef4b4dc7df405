//! Session-state information of OK packets.

use headgate::wire::session_track::{Wish, entries};

/// The information as it stands in the packet.
pub fn check(info: &[u8]) {
    let mut last: &[u8] = &[];
    let mut joined = Vec::new();
    let mut failed = false;
    let mut count = 0;
    for entry in entries(info) {
        assert!(!failed, "an error is the last item");
        count += 1;
        assert!(count <= info.len(), "the iteration ends");
        let Ok(entry) = entry else {
            failed = true;
            continue;
        };
        assert!(Wish::Everything.includes(&entry.change) && !Wish::Nothing.includes(&entry.change));
        if !std::ptr::eq(entry.raw, last) {
            joined.extend_from_slice(entry.raw);
            last = entry.raw;
        }
    }
    assert!(info.starts_with(&joined));
    assert!(failed || joined == info, "what was read is all there was");
}
