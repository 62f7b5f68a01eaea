//! Closing of a connection without the loss of the last response.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    time::timeout,
};

/// Time for which a closed connection is still read while its client sends.
const LINGER: Duration = Duration::from_secs(30);
/// The same for a client that sends nothing.
const IDLE: Duration = Duration::from_secs(2);

/// A connection that is read for a while after it was closed.
///
/// A request that is refused before its body was read (413, for example) leaves bytes in the socket. Closing the
/// socket then makes the kernel reset the connection, and the client often loses the response that explains it. RFC
/// 9112 (section 9.6) requires that servers keep reading, so that the response arrives.
pub(super) struct Lingering {
    stream: Option<TcpStream>,
    /// The connection's share of the limit of connections, until the client has closed it too.
    permit: Option<OwnedSemaphorePermit>,
}

impl Lingering {
    pub(super) fn new(stream: TcpStream, permit: OwnedSemaphorePermit) -> Self {
        Lingering {
            stream: Some(stream),
            permit: Some(permit),
        }
    }

    fn inner(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let (Some(mut stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) else {
            return;
        };
        let permit = self.permit.take();
        runtime.spawn(async move {
            let _ = stream.shutdown().await;
            let mut buffer = [0; 16 << 10];
            let rest = async { while let Ok(Ok(1..)) = timeout(IDLE, stream.read(&mut buffer)).await {} };
            let _ = timeout(LINGER, rest).await;
            drop(permit);
        });
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner()?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
