//! A stream and the bytes that have come from it, unpacked where they are compressed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsStream;

use super::buffer;
use super::compressed::Compressed;
use super::socket::Socket;
use crate::runtime::clock;
use crate::wire::compress::Algorithm;

/// A plain or encrypted stream.
#[derive(Debug)]
pub enum Stream {
    /// Bytes as they are.
    Plain(Socket),
    /// TLS, either side of it.
    Tls(Box<TlsStream<Socket>>),
}

/// One end of a conversation: a stream, and what it has sent that nobody has used yet.
#[derive(Debug)]
pub struct Link {
    carrier: Carrier,
    /// Bytes received and not yet used, oldest first.
    pub inbox: BytesMut,
    /// Stands between the stream and the inbox where the peer compresses.
    compressed: Option<Box<Compressed>>,
}

/// Bytes that went through a link, as they were on the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// From the peer.
    pub received: u64,
    /// To the peer.
    pub sent: u64,
}

impl Link {
    /// A link without bytes.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        let carrier = Carrier { stream, ended: false, room: buffer::SMALL, volume: Volume::default() };
        Self { carrier, inbox: BytesMut::new(), compressed: None }
    }

    /// From here on both sides compress.
    pub fn compress(&mut self, algorithm: Algorithm) {
        let received = std::mem::take(&mut self.inbox);
        self.compressed = Some(Box::new(Compressed::new(algorithm, received)));
    }

    /// Whether both sides compress.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compressed.is_some()
    }

    /// Of a compressed link: the number that the next packet inside gets where servers flush.
    #[must_use]
    pub fn number_inside(&self) -> Option<u8> {
        self.compressed.as_ref().and_then(|compressed| compressed.number_inside())
    }

    /// The peer's next bytes begin a command, with which compressed packets are counted anew.
    pub fn next_command(&mut self) {
        if let Some(compressed) = &mut self.compressed {
            compressed.next_command();
        }
    }

    /// The socket at the bottom.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        match &self.carrier.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => stream.get_ref().0,
        }
    }

    /// True for TLS.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.carrier.stream, Stream::Tls(_))
    }

    /// True where nobody on the network can listen: TLS, or a Unix socket.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        matches!(self.carrier.stream, Stream::Tls(_) | Stream::Plain(Socket::Unix(_)))
    }

    /// Gives the stream up, for an upgrade to TLS. Bytes received ahead would be lost, so they are an
    /// error: [`Self::fill_exactly`] receives none.
    pub fn into_plain(self) -> io::Result<Socket> {
        match self.carrier.stream {
            Stream::Plain(socket) if self.inbox.is_empty() && self.compressed.is_none() => Ok(socket),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "bytes before the TLS handshake")),
        }
    }

    /// Ready when there is something to be used: bytes in the inbox, or the end of the stream. Reads to
    /// know it: readiness alone is stale after a read that filled its buffer, and TLS has packets of its
    /// own. A plain socket that says it is not ready is waited for without a buffer. Of a compressed stream
    /// it is only known that something has come: [`Self::fill`] may wait for the rest of a packet.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.inbox.is_empty() || self.carrier.ended {
            return Poll::Ready(());
        }
        match &mut self.compressed {
            None => self.carrier.poll_more(&mut self.inbox, cx),
            Some(compressed) => {
                let readable = compressed.poll_readable(&mut self.carrier, cx);
                if readable.is_pending() {
                    buffer::take_back(std::mem::take(&mut self.inbox));
                }
                readable
            }
        }
    }

    /// Ready when the peer has ended the stream. What it sends before that is kept, up to a bound: somebody who
    /// sends ahead is there, and is not looked at any further. The first `standing` bytes of the inbox were not
    /// sent ahead.
    pub fn poll_ended(&mut self, standing: usize, cx: &mut Context<'_>) -> Poll<()> {
        let (received, standing) = match &mut self.compressed {
            None => (&mut self.inbox, standing),
            Some(compressed) => (compressed.packed(), 0),
        };
        while !self.carrier.ended {
            if received.len() >= standing + buffer::SMALL {
                return Poll::Pending;
            }
            ready!(self.carrier.poll_more(received, cx));
        }
        Poll::Ready(())
    }

    /// Reads more bytes into the inbox; 0 means that the peer has ended the stream.
    pub async fn fill(&mut self) -> io::Result<usize> {
        match &mut self.compressed {
            None => self.carrier.fill(&mut self.inbox).await,
            Some(compressed) => compressed.fill(&mut self.carrier, &mut self.inbox).await,
        }
    }

    /// Reads until the inbox holds `n` bytes, and not one more, since what comes behind them may not
    /// be for it. False where the peer ends the stream before. For what comes before compression begins.
    pub async fn fill_exactly(&mut self, n: usize) -> io::Result<bool> {
        while self.inbox.len() < n {
            let missing = n - self.inbox.len();
            self.inbox.reserve(missing);
            let mut room = (&mut self.inbox).limit(missing);
            let read = match &mut self.carrier.stream {
                Stream::Plain(socket) => socket.read_buf(&mut room).await?,
                Stream::Tls(stream) => stream.read_buf(&mut room).await?,
            };
            self.carrier.volume.received += read as u64;
            if read == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Like [`Self::fill`], but content with what is already there.
    pub async fn fill_if_empty(&mut self) -> io::Result<usize> {
        if self.inbox.is_empty() { self.fill().await } else { Ok(self.inbox.len()) }
    }

    /// Drops the first `n` bytes of the inbox, and with the last of them its buffer, unless it has grown
    /// in the middle of something large: that one goes with [`Self::rest`].
    pub fn consume(&mut self, n: usize) {
        self.carrier.consume(&mut self.inbox, n);
    }

    /// The peer has finished something: a buffer that has grown for it is let go.
    pub fn rest(&mut self) {
        self.carrier.rest(&mut self.inbox);
    }

    /// Sends all of `bytes`, waiting at most `limit` for a peer that does not read.
    pub async fn send(&mut self, bytes: &[u8], limit: Duration) -> io::Result<()> {
        let sent = clock::within_if_slow(limit, self.send_all(bytes)).await;
        sent.unwrap_or_else(|late| Err(io::Error::new(io::ErrorKind::TimedOut, late)))
    }

    /// As [`Self::send`] to a peer that may be slow. When it has taken nothing more for `grace`, `may_stall` is
    /// asked whether it may be waited for; what that gives is held until all is sent.
    pub async fn send_patiently<G>(
        &mut self,
        bytes: &[u8],
        grace: Duration,
        limit: Duration,
        may_stall: impl FnOnce() -> Option<G>,
    ) -> io::Result<()> {
        let mut sending = std::pin::pin!(self.send_all(bytes));
        if let Ok(sent) = clock::within_if_slow(grace.min(limit), sending.as_mut()).await {
            return sent;
        }
        let Some(_held) = may_stall() else {
            let text = "too many clients leave their replies unread";
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        };
        let sent = clock::within(limit.saturating_sub(grace), sending).await;
        sent.unwrap_or_else(|late| Err(io::Error::new(io::ErrorKind::TimedOut, late)))
    }

    async fn send_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.compressed {
            None => self.carrier.send(bytes).await,
            // On the heap: a task holds the largest of its futures for as long as it lives.
            Some(compressed) => Box::pin(compressed.send(&mut self.carrier, bytes)).await,
        }
    }

    /// The bytes that went through since the last call.
    pub fn take_volume(&mut self) -> Volume {
        std::mem::take(&mut self.carrier.volume)
    }

    /// Moves the first `n` bytes of this inbox to `to`.
    pub async fn pass_on(&mut self, n: usize, to: &mut Self, limit: Duration) -> io::Result<()> {
        let n = n.min(self.inbox.len());
        if n > 0 {
            to.send(self.inbox.get(..n).unwrap_or_default(), limit).await?;
            self.consume(n);
        }
        Ok(())
    }

    /// True while an idle peer has neither spoken nor hung up. Costs no system call unless something
    /// has happened.
    #[must_use]
    pub fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        let read = match &mut self.carrier.stream {
            Stream::Plain(socket) => Pin::new(socket).poll_read(&mut cx, &mut byte),
            // Takes in what belongs to TLS alone, such as session tickets.
            Stream::Tls(stream) => Pin::new(stream).poll_read(&mut cx, &mut byte),
        };
        let owes_nothing = self.compressed.as_ref().is_none_or(|compressed| compressed.is_empty());
        read.is_pending() && self.inbox.is_empty() && owes_nothing && !self.carrier.ended
    }

    /// Sends a last word if it can be sent at once.
    pub fn send_now(&mut self, bytes: &[u8]) {
        match &mut self.compressed {
            None => self.carrier.send_now(bytes),
            Some(compressed) => self.carrier.send_now(&compressed.pack(bytes)),
        }
    }

    /// Ends the stream politely; errors do not matter any more.
    pub async fn close(mut self) {
        let _ = clock::within(Duration::from_secs(1), async {
            match &mut self.carrier.stream {
                Stream::Plain(socket) => socket.shutdown().await,
                Stream::Tls(stream) => stream.shutdown().await,
            }
        })
        .await;
    }
}

/// A stream, and how it is read: what comes from it goes to whichever buffer it is given.
#[derive(Debug)]
pub(super) struct Carrier {
    stream: Stream,
    /// The peer has ended the stream.
    ended: bool,
    /// Bytes to make room for before a read.
    room: usize,
    volume: Volume,
}

impl Carrier {
    /// Ready when bytes have been read behind those of `inbox`, or the end of the stream.
    pub(super) fn poll_more(&mut self, inbox: &mut BytesMut, cx: &mut Context<'_>) -> Poll<()> {
        if let Stream::Plain(socket) = &self.stream
            && socket.poll_read_ready(cx).is_pending()
        {
            return Poll::Pending;
        }
        if inbox.capacity() == 0 {
            *inbox = buffer::lend();
        }
        let read = match &mut self.stream {
            Stream::Plain(socket) => std::pin::pin!(socket.read_buf(inbox)).poll(cx),
            Stream::Tls(stream) => std::pin::pin!(stream.read_buf(inbox)).poll(cx),
        };
        match read {
            Poll::Ready(read) => {
                self.volume.received += read.as_ref().map_or(0, |n| *n as u64);
                self.ended = !matches!(read, Ok(n) if n > 0);
                Poll::Ready(())
            }
            Poll::Pending => {
                if inbox.is_empty() && matches!(self.stream, Stream::Plain(_)) {
                    self.rest(inbox);
                }
                Poll::Pending
            }
        }
    }

    pub(super) async fn fill(&mut self, inbox: &mut BytesMut) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        if inbox.capacity() == 0 {
            if let Stream::Plain(socket) = &self.stream {
                poll_fn(|cx| socket.poll_read_ready(cx)).await?;
            }
            *inbox = buffer::lend();
        }
        let before = inbox.len();
        if inbox.capacity() - before < self.room / 2 {
            inbox.reserve(self.room);
        }
        let room = inbox.capacity() - before;
        let read = match &mut self.stream {
            Stream::Plain(socket) => socket.read_buf(inbox).await,
            Stream::Tls(stream) => stream.read_buf(inbox).await,
        };
        match read {
            // Clients close without TLS's close_notify.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Ok(n) => {
                self.volume.received += n as u64;
                if n == room {
                    // A peer faster than this buffer: a large result, a large packet.
                    self.room = (2 * self.room).min(buffer::LARGE);
                }
                Ok(n)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn consume(&self, inbox: &mut BytesMut, n: usize) {
        inbox.advance(n.min(inbox.len()));
        if inbox.is_empty() && self.room == buffer::SMALL {
            buffer::take_back(std::mem::take(inbox));
        }
    }

    fn rest(&mut self, inbox: &mut BytesMut) {
        self.room = buffer::SMALL;
        self.consume(inbox, 0);
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes).await?;
        self.flush().await
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.volume.sent += bytes.len() as u64;
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes).await,
            Stream::Tls(stream) => stream.write_all(bytes).await,
        }
    }

    /// Sockets have nothing of their own to flush.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(stream) => stream.flush().await,
        }
    }

    fn send_now(&mut self, bytes: &[u8]) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        // Who leaves does not wait for an answer.
        match &mut self.stream {
            Stream::Plain(socket) => _ = Pin::new(socket).poll_write(&mut cx, bytes),
            Stream::Tls(stream) => {
                let _ = Pin::new(&mut *stream).poll_write(&mut cx, bytes);
                let _ = Pin::new(stream).poll_flush(&mut cx);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn pair() -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (Link::new(Stream::Plain(Socket::tcp(stream).unwrap())), peer)
    }

    fn poll(link: &mut Link) -> Poll<()> {
        link.poll_readable(&mut Context::from_waker(std::task::Waker::noop()))
    }

    /// A read that fills its buffer leaves the socket's readiness standing although nothing is left.
    #[tokio::test]
    async fn readiness_is_not_believed_after_a_full_read() {
        let (mut link, mut peer) = pair().await;
        let mut size = buffer::SMALL;
        for _ in 0..2 {
            peer.write_all(&vec![7; size]).await.unwrap();
            let mut left = size;
            while left > 0 {
                let n = link.fill().await.unwrap();
                left -= n;
                link.consume(n);
            }
            link.rest();
            assert!(poll(&mut link).is_pending(), "after {size} bytes");
            assert_eq!(link.inbox.capacity(), 0, "an idle link holds no buffer");
            size *= 2;
        }
        peer.write_all(b"x").await.unwrap();
        poll_fn(|cx| link.poll_readable(cx)).await;
        assert_eq!(&link.inbox[..], b"x");
        link.consume(1);
        drop(peer);
        poll_fn(|cx| link.poll_readable(cx)).await;
        assert_eq!(link.fill().await.unwrap(), 0);
    }
}
