//! Calls the two libraries, with all lengths known beforehand.

use bytes::BytesMut;
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};
use zstd_safe::{CCtx, DCtx};

use super::algorithm::Algorithm;
use super::packet::{Broken, SHORTEST};

/// The level of servers, and the window that any zlib stream can be read with.
const ZLIB_LEVEL: i32 = 6;
const ZLIB_WINDOW_BITS: u8 = 15;

/// How a zstd frame begins. Frames of the formats before 1.0 begin otherwise, and the library may know
/// them still: they are not for strangers.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Memory of the libraries, made when it is first needed. It keeps nothing of one packet for the next.
#[derive(Default)]
pub struct Workspace {
    deflate: Option<Deflate>,
    inflate: Option<Inflate>,
    compress: Option<CCtx<'static>>,
    decompress: Option<DCtx<'static>>,
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").finish_non_exhaustive()
    }
}

impl Workspace {
    /// Appends `bytes` to `out`, compressed, and returns the length of that. Nothing where it is not worth
    /// it; `out` is then as before.
    pub(super) fn compress(
        &mut self,
        algorithm: Algorithm,
        bytes: &[u8],
        out: &mut BytesMut,
    ) -> Option<usize> {
        if bytes.len() < SHORTEST {
            return None;
        }
        let start = out.len();
        // Room for less than there is: what does not become shorter does not fit.
        out.resize(start + bytes.len() - 1, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let len = match algorithm {
            Algorithm::Zlib => self.zlib(bytes, room),
            Algorithm::Zstd { level } => self.zstd(bytes, level, room),
        };
        out.truncate(start + len.unwrap_or_default());
        len
    }

    fn zlib(&mut self, bytes: &[u8], room: &mut [u8]) -> Option<usize> {
        let deflate = self.deflate.get_or_insert_with(|| Deflate::new(ZLIB_LEVEL, true, ZLIB_WINDOW_BITS));
        deflate.reset();
        let done = deflate.compress(bytes, room, DeflateFlush::Finish) == Ok(Status::StreamEnd);
        usize::try_from(deflate.total_out()).ok().filter(|_| done)
    }

    fn zstd(&mut self, bytes: &[u8], level: u8, room: &mut [u8]) -> Option<usize> {
        if self.compress.is_none() {
            self.compress = CCtx::try_create();
        }
        self.compress.as_mut()?.compress(room, bytes, i32::from(level)).ok()
    }

    /// Appends what `packed` holds, which must be `len` bytes, to `out`. After an error `out` is as before.
    pub(super) fn decompress(
        &mut self,
        algorithm: Algorithm,
        packed: &[u8],
        len: usize,
        out: &mut BytesMut,
    ) -> Result<(), Broken> {
        let start = out.len();
        out.resize(start + len, 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let good = match algorithm {
            Algorithm::Zlib => self.unzlib(packed, room),
            Algorithm::Zstd { .. } => self.unzstd(packed, room),
        };
        if good {
            return Ok(());
        }
        out.truncate(start);
        Err(Broken::Stream)
    }

    /// Fills `room` from one stream that ends where both end.
    fn unzlib(&mut self, packed: &[u8], room: &mut [u8]) -> bool {
        let inflate = self.inflate.get_or_insert_with(|| Inflate::new(true, ZLIB_WINDOW_BITS));
        inflate.reset(true);
        let read = inflate.decompress(packed, room, InflateFlush::Finish);
        read == Ok(Status::StreamEnd)
            && inflate.total_in() == packed.len() as u64
            && inflate.total_out() == room.len() as u64
    }

    /// Fills `room` from one frame that ends where both end.
    fn unzstd(&mut self, packed: &[u8], room: &mut [u8]) -> bool {
        if !packed.starts_with(&ZSTD_MAGIC)
            || zstd_safe::find_frame_compressed_size(packed) != Ok(packed.len())
        {
            return false;
        }
        if self.decompress.is_none() {
            self.decompress = DCtx::try_create();
        }
        let len = room.len();
        self.decompress.as_mut().is_some_and(|context| context.decompress(room, packed) == Ok(len))
    }
}
