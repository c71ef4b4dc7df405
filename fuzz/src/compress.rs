//! Compressed packets.

use bytes::{Buf, BytesMut};
use headgate::wire::compress::{Algorithm, Broken, Compression, HEADER, MAX_PAYLOAD, Workspace};

use super::source::Source;

/// One byte of algorithm and level, two of chunk size, then what a peer sends.
pub fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let algorithm = match source.byte() {
        even if even % 2 == 0 => Algorithm::Zlib,
        odd => Algorithm::Zstd { level: odd / 2 % 22 + 1 },
    };
    let size = 1 + usize::from(source.byte()) + usize::from(source.byte());
    let stream = source.rest();
    let mut workspace = Workspace::default();
    let whole = unpack(algorithm, [stream], &mut workspace);
    assert!(whole.0.len() <= (stream.len() / HEADER + 1) * MAX_PAYLOAD);
    assert_eq!(unpack(algorithm, stream.chunks(size), &mut workspace), whole, "in chunks of {size}");
    what_is_packed_is_unpacked(algorithm, stream, size, &mut workspace);
}

/// What there was before the end or the error, and which it was.
fn unpack<'a>(
    algorithm: Algorithm,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    workspace: &mut Workspace,
) -> (BytesMut, Result<(), Broken>) {
    let mut compression = Compression::new(algorithm);
    let (mut packed, mut out) = (BytesMut::new(), BytesMut::new());
    for chunk in chunks {
        packed.extend_from_slice(chunk);
        loop {
            let before = out.len();
            match compression.unpack(&packed, workspace, &mut out) {
                Ok(Some(used)) => packed.advance(used),
                Ok(None) => break,
                Err(broken) => {
                    assert_eq!(out.len(), before, "nothing of a broken packet is left");
                    return (out, Err(broken));
                }
            }
        }
    }
    (out, Ok(()))
}

fn what_is_packed_is_unpacked(algorithm: Algorithm, bytes: &[u8], size: usize, workspace: &mut Workspace) {
    let mut compression = Compression::new(algorithm);
    let mut packed = BytesMut::new();
    for piece in bytes.chunks(size) {
        compression.pack(piece, workspace, &mut packed);
    }
    assert!(packed.len() <= bytes.len() + HEADER * bytes.len().div_ceil(size), "nothing grows");
    let (out, end) = unpack(algorithm, [&packed[..]], workspace);
    assert_eq!((&out[..], end), (bytes, Ok(())));
}
