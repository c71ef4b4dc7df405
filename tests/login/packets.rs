//! Packets over any stream.

use headgate::wire::frame::{HEADER, Header, put_packet};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A stream of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream and the sequence number of its next packet.
pub(crate) struct Packets {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) seq: u8,
}

impl Packets {
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), seq: 0 }
    }

    pub(crate) async fn send(&mut self, payload: &[u8]) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, &mut self.seq, payload);
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    pub(crate) async fn receive(&mut self) -> std::io::Result<Vec<u8>> {
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header).await?;
        let header = Header::read(&header).ok_or(std::io::ErrorKind::InvalidData)?;
        let mut payload = vec![0; header.len];
        self.stream.read_exact(&mut payload).await?;
        self.seq = header.seq.wrapping_add(1);
        Ok(payload)
    }
}
