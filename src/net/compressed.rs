//! Compression between a stream and its inbox.
//!
//! Packets are packed and unpacked on the task of the connection, a piece at a time. What the libraries need
//! for it belongs to the thread: an idle connection has no buffer here either, only its count.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll};

use bytes::BytesMut;

use super::buffer;
use super::link::Carrier;
use crate::wire::compress::{Algorithm, Compression, Workspace};

/// Bytes that are packed together. Servers take 16 KiB (`net_buffer_length`); more gains little, and other
/// connections of the thread wait while a client's level 22 is at work.
const PIECE: usize = 16 * 1024;

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// What a compressed link has beside its stream.
#[derive(Debug)]
pub(super) struct Compressed {
    compression: Compression,
    /// Bytes received and not yet unpacked. At most one packet and what was read along with it.
    packed: BytesMut,
}

impl Compressed {
    pub(super) fn new(algorithm: Algorithm, received: BytesMut) -> Self {
        Self { compression: Compression::new(algorithm), packed: received }
    }

    pub(super) const fn next_command(&mut self) {
        self.compression.next_command();
    }

    pub(super) fn number_inside(&self) -> Option<u8> {
        self.compression.number_inside()
    }

    /// Where bytes go that are read ahead.
    pub(super) const fn packed(&mut self) -> &mut BytesMut {
        &mut self.packed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Ready when bytes of a packet have come, or the stream has ended.
    pub(super) fn poll_readable(&mut self, carrier: &mut Carrier, cx: &mut Context<'_>) -> Poll<()> {
        if self.packed.is_empty() { carrier.poll_more(&mut self.packed, cx) } else { Poll::Ready(()) }
    }

    /// Adds one packet to `inbox` and no more: the next may belong to the next command, which is counted
    /// anew.
    pub(super) async fn fill(&mut self, carrier: &mut Carrier, inbox: &mut BytesMut) -> io::Result<usize> {
        let before = inbox.len();
        loop {
            while let Some(used) = self.unpack(inbox)? {
                carrier.consume(&mut self.packed, used);
                // A packet may be empty.
                if inbox.len() > before {
                    return Ok(inbox.len() - before);
                }
            }
            if carrier.fill(&mut self.packed).await? == 0 {
                let whole = self.packed.is_empty();
                return if whole { Ok(0) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    fn unpack(&mut self, inbox: &mut BytesMut) -> io::Result<Option<usize>> {
        if inbox.capacity() == 0 {
            *inbox = buffer::lend();
        }
        let unpacked =
            WORKSPACE.with_borrow_mut(|workspace| self.compression.unpack(&self.packed, workspace, inbox));
        unpacked.map_err(|broken| io::Error::new(io::ErrorKind::InvalidData, broken))
    }

    /// Sends all of `bytes`. Between pieces others have their turn.
    pub(super) async fn send(&mut self, carrier: &mut Carrier, bytes: &[u8]) -> io::Result<()> {
        let mut pieces = bytes.chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            let packed = self.pack(piece);
            carrier.write(&packed).await?;
            buffer::take_back(packed);
            if pieces.peek().is_some() {
                tokio::task::yield_now().await;
            }
        }
        carrier.flush().await
    }

    pub(super) fn pack(&mut self, bytes: &[u8]) -> BytesMut {
        let mut packed = buffer::lend();
        WORKSPACE.with_borrow_mut(|workspace| self.compression.pack(bytes, workspace, &mut packed));
        packed
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;
    use std::time::Duration;

    use bytes::Buf;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::net::link::{Link, Stream};
    use crate::net::socket::Socket;
    use crate::wire::compress::Header;

    const LIMIT: Duration = Duration::from_secs(10);
    const ZSTD: Algorithm = Algorithm::Zstd { level: 3 };

    async fn pair(algorithm: Algorithm) -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut link = Link::new(Stream::Plain(Socket::tcp(stream).unwrap()));
        link.compress(algorithm);
        (link, peer)
    }

    /// What a peer sends for `bytes`, as the first packets of a command.
    fn packed(algorithm: Algorithm, bytes: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        Compression::new(algorithm).pack(bytes, &mut Workspace::default(), &mut out);
        out
    }

    fn poll(link: &mut Link) -> Poll<()> {
        link.poll_readable(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn an_idle_link_holds_no_buffer() {
        for algorithm in [Algorithm::Zlib, ZSTD] {
            let (mut link, mut peer) = pair(algorithm).await;
            // Small and large, the last one of more packets than one read brings.
            for n in [10, 100_000, 20_000_000] {
                let sent = packed(algorithm, &vec![7; n]);
                let mut left = n;
                link.next_command();
                let send = peer.write_all(&sent);
                let receive = async {
                    poll_fn(|cx| link.poll_readable(cx)).await;
                    while left > 0 {
                        let n = link.fill_if_empty().await.unwrap();
                        assert!(link.inbox.iter().all(|byte| *byte == 7));
                        link.consume(n);
                        left -= n;
                    }
                };
                let (sent, ()) = tokio::join!(send, receive);
                sent.unwrap();
                assert!(poll(&mut link).is_pending() && link.is_quiet());
                assert_eq!(link.inbox.capacity(), 0, "after {n} bytes");
            }
            drop(peer);
            poll_fn(|cx| link.poll_readable(cx)).await;
            assert_eq!(link.fill().await.unwrap(), 0);
        }
    }

    /// The second command's packet has the first command's number again, so it is not looked at too early.
    #[tokio::test]
    async fn commands_sent_ahead_are_taken_one_by_one() {
        let (mut link, mut peer) = pair(Algorithm::Zlib).await;
        let both = [packed(Algorithm::Zlib, b"one"), packed(Algorithm::Zlib, b"two")].concat();
        peer.write_all(&both).await.unwrap();
        for (expected, replies) in [(b"one", 2), (b"two", 1)] {
            link.next_command();
            poll_fn(|cx| link.poll_readable(cx)).await;
            assert_eq!(link.fill().await.unwrap(), 3);
            assert_eq!(&link.inbox[..], expected);
            link.consume(3);
            for _ in 0..replies {
                link.send(b"reply", LIMIT).await.unwrap();
            }
        }
        let mut replies = [0; 3 * (7 + 5)];
        peer.read_exact(&mut replies).await.unwrap();
        let numbers: Vec<u8> = replies.chunks(12).map(|reply| reply[3]).collect();
        assert_eq!(numbers, [1, 2, 1]);
    }

    #[tokio::test]
    async fn half_a_packet_is_neither_silence_nor_bytes() {
        let (mut link, mut peer) = pair(ZSTD).await;
        let sent = packed(ZSTD, &[9; 1000]);
        peer.write_all(&sent[..20]).await.unwrap();
        poll_fn(|cx| link.poll_readable(cx)).await;
        assert!(link.inbox.is_empty() && !link.is_quiet());
        peer.write_all(&sent[20..]).await.unwrap();
        assert_eq!(link.fill().await.unwrap(), 1000);
        link.consume(1000);
        peer.write_all(&[1, 0, 0, 1]).await.unwrap();
        drop(peer);
        let error = link.fill().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn long_replies_go_out_in_pieces() {
        for algorithm in [Algorithm::Zlib, ZSTD] {
            let (link, mut peer) = pair(algorithm).await;
            let reply: Vec<u8> = (0..100_000_u32).flat_map(|n| n.to_le_bytes()).collect();
            let (mut received, mut unpacked) = (Vec::new(), BytesMut::new());
            let send = async {
                let mut link = link;
                link.send(&reply, LIMIT).await.unwrap();
                link.take_volume().sent
            };
            let (sent, read) = tokio::join!(send, peer.read_to_end(&mut received));
            assert_eq!(Ok(sent), read.map(|n| n as u64).map_err(|error| error.kind()));
            let (mut compression, mut rest) = (Compression::new(algorithm), &received[..]);
            let mut workspace = Workspace::default();
            while let Some(used) = compression.unpack(rest, &mut workspace, &mut unpacked).unwrap() {
                assert!(Header::read(rest).is_some_and(|header| header.unpacked <= PIECE));
                rest.advance(used);
            }
            assert!(rest.is_empty() && unpacked == reply);
        }
    }
}
