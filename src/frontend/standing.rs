//! Commands that stand at the front of a client's inbox: copied from there, or changed before they are sent.

use super::relay::{RelayError, lost_server};
use crate::backend::{Connection, WRITE_LIMIT};
use crate::net::link::Link;
use crate::wire::execute;
use crate::wire::frame::{HEADER, Header, MAX_PAYLOAD};

/// Sends the command at the front of the client's inbox, which has come whole, and leaves it there, so
/// that it can be sent elsewhere.
pub(super) async fn copy_command(client: &Link, server: &mut Connection) -> Result<(), RelayError> {
    server.begin();
    server.link.send(standing(client), WRITE_LIMIT).await.map_err(lost_server)
}

/// The command at the front of the client's inbox, its header included, where it has come whole.
pub(super) fn standing(client: &Link) -> &[u8] {
    let end = Header::read(&client.inbox).map_or(0, |header| HEADER + header.len);
    client.inbox.get(..end).unwrap_or_default()
}

/// As [`copy_command`], for a COM_STMT_EXECUTE of a statement that the server knows by this id.
pub(super) async fn copy_execution(
    client: &Link,
    server: &mut Connection,
    id: u32,
) -> Result<(), RelayError> {
    let mut whole = standing(client).to_vec();
    if let Some(own) = whole.get_mut(HEADER + execute::ID.start..HEADER + execute::ID.end) {
        own.copy_from_slice(&id.to_le_bytes());
    }
    server.begin();
    server.link.send(&whole, WRITE_LIMIT).await.map_err(lost_server)
}

/// Puts another id of a statement into the command at the front of the inbox, of which that much has come.
pub(super) fn put_statement_id(client: &mut Link, id: u32) {
    if let Some(place) = client.inbox.get_mut(HEADER + execute::ID.start..HEADER + execute::ID.end) {
        place.copy_from_slice(&id.to_le_bytes());
    }
}

/// Puts another text behind the first `kept` bytes of the payload of the command at the front of the inbox, which has
/// come whole. False where it has no room in a packet.
pub(super) fn put_text(client: &mut Link, kept: usize, text: &[u8]) -> bool {
    let Some(header) = Header::read(&client.inbox) else { return false };
    let (end, len) = (HEADER + header.len, kept + text.len());
    if header.continues() || len >= MAX_PAYLOAD || client.inbox.len() < end || kept > header.len {
        return false;
    }
    let behind = client.inbox.split_off(end);
    client.inbox.truncate(HEADER + kept);
    client.inbox.extend_from_slice(text);
    client.inbox.extend_from_slice(&behind);
    if let Some(head) = client.inbox.first_chunk_mut::<HEADER>() {
        *head = Header { len, ..header }.bytes();
    }
    true
}

/// Puts the types of its parameters into the execution at the front of the inbox, which need not have come whole.
/// False where they have no room in its packet.
pub(super) fn put_types(client: &mut Link, new_types: usize, types: &[u8]) -> bool {
    let Some(header) = Header::read(&client.inbox) else { return false };
    let (at, len) = (HEADER + new_types, header.len + types.len());
    if header.continues() || len >= MAX_PAYLOAD || client.inbox.len() <= at {
        return false;
    }
    let values = client.inbox.split_off(at + 1);
    client.inbox.truncate(at);
    client.inbox.extend_from_slice(&[1]);
    client.inbox.extend_from_slice(types);
    client.inbox.extend_from_slice(&values);
    if let Some(head) = client.inbox.first_chunk_mut::<HEADER>() {
        *head = Header { len, ..header }.bytes();
    }
    true
}
