//! The header of a compressed packet, and the count of packets.

/// Length of a compressed packet's header.
pub const HEADER: usize = 7;

/// The longest piece, packed or not: its length has three bytes.
pub const MAX_PAYLOAD: usize = 0xFF_FFFF;

/// Shorter pieces are sent as they are (`MIN_COMPRESS_LENGTH` of the servers).
pub const SHORTEST: usize = 50;

/// The header of a compressed packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Length of what follows, at most [`MAX_PAYLOAD`].
    pub len: usize,
    /// The count of compressed packets, which is not that of the packets inside.
    pub seq: u8,
    /// Length of what follows once it is unpacked; 0 where it is not packed.
    pub unpacked: usize,
}

impl Header {
    /// Reads the header at the front of `bytes`, or nothing if it has not arrived whole.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, seq, d, e, f] = *bytes.first_chunk::<HEADER>()?;
        let int = |low, middle, high| u32::from_le_bytes([low, middle, high, 0]) as usize;
        Some(Self { len: int(a, b, c), seq, unpacked: int(d, e, f) })
    }

    /// The seven bytes of this header. Lengths over [`MAX_PAYLOAD`] are the caller's mistake and cut.
    #[must_use]
    pub fn bytes(self) -> [u8; HEADER] {
        let [a, b, c, ..] = self.len.min(MAX_PAYLOAD).to_le_bytes();
        let [d, e, f, ..] = self.unpacked.min(MAX_PAYLOAD).to_le_bytes();
        [a, b, c, self.seq, d, e, f]
    }
}

/// What a peer sent is no compressed packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The count is wrong.
    #[error("compressed packets out of order: number {found} in place of {expected}")]
    OutOfOrder {
        /// The number that was due.
        expected: u8,
        /// The number that came.
        found: u8,
    },
    /// The header promises more than any stream of this length can hold.
    #[error("a compressed packet of {len} bytes cannot hold the {promised} it promises")]
    Promise {
        /// Bytes that came.
        len: usize,
        /// Bytes that the header speaks of.
        promised: usize,
    },
    /// What follows the header is no stream, not one alone, or not of the length that the header says.
    #[error("a packet cannot be uncompressed, or not to the length it speaks of")]
    Stream,
}

impl Broken {
    /// The error that servers end such a connection with: ER_NET_PACKETS_OUT_OF_ORDER or
    /// ER_NET_UNCOMPRESS_ERROR.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::OutOfOrder { .. } => 1156,
            Self::Promise { .. } | Self::Stream => 1157,
        }
    }
}

/// The numbers of compressed packets. Both directions share one count, which begins anew with each command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Number of the next packet from the peer.
    expected: u8,
    /// Number of the next packet to the peer. The same but at the beginning of a command: if that has come in
    /// one packet with the command before, the replies are counted on, as servers do.
    next: u8,
}

impl Numbers {
    pub(super) const NEW: Self = Self { expected: 0, next: 0 };

    pub(super) const fn next_command(&mut self) {
        self.expected = 0;
    }

    /// The number of a packet to be sent.
    pub(super) const fn take(&mut self) -> u8 {
        let seq = self.next;
        self.next = seq.wrapping_add(1);
        self.expected = self.next;
        seq
    }

    /// The number that the next packet inside gets where servers flush; nothing at the beginning of a command
    /// that has come in one packet with the one before.
    pub(super) fn inside(self) -> Option<u8> {
        (self.expected == self.next).then_some(self.next)
    }

    pub(super) fn check(self, found: u8) -> Result<(), Broken> {
        let Self { expected, .. } = self;
        if found == expected { Ok(()) } else { Err(Broken::OutOfOrder { expected, found }) }
    }

    pub(super) const fn received(&mut self) {
        self.expected = self.expected.wrapping_add(1);
        self.next = self.expected;
    }
}
