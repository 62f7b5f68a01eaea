//! A TCP proxy that disturbs the connections through it.

use parking_lot::{Mutex, MutexGuard};
use std::{net::SocketAddr, os::fd::AsRawFd, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// The behaviour of a proxy towards open and new connections.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire {
    /// All bytes pass.
    Open,
    /// There is no listener, as on a stopped machine; open connections are reset.
    Refused,
    /// Each connection is accepted and reset.
    Reset,
    /// Connections stay open, and no byte passes.
    Silent,
    /// Bytes pass at this rate per second in each direction.
    Slow(usize),
    /// A connection is reset after this number of answer bytes.
    CutAfter(usize),
    /// Every request is answered with 503, without reaching the server.
    Unavailable,
    /// One byte of each larger answer is changed.
    Flipped,
    /// The server completes a multipart upload, but its answer is lost.
    CompletionLost,
}

/// Offset of the changed byte in an answer: after the head.
const FLIP_AT: usize = 4000;
/// Bytes read at a time.
const BLOCK: usize = 16 << 10;
/// The answer of [`Wire::Unavailable`].
const NO_SERVICE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A proxy that listens on loopback until it is dropped.
pub struct Proxy {
    /// The port on which it listens.
    pub port: u16,
    wire: watch::Sender<Wire>,
    targets: Targets,
}

/// The addresses to forward to, in the order in which they are tried.
type Targets = Arc<Mutex<Vec<SocketAddr>>>;

impl Proxy {
    /// Starts a proxy that forwards to the first of these loopback ports with a listener.
    pub async fn start(targets: &[u16]) -> Proxy {
        // The kernel could give an ephemeral port to an outgoing connection while the wire is refused.
        let port = vidp_engines::free_port();
        let listener = listen(port).await;
        let (wire, state) = watch::channel(Wire::Open);
        let addresses = targets
            .iter()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], *port)));
        let targets = Targets::new(Mutex::new(addresses.collect()));
        tokio::spawn(accept(Some(listener), port, targets.clone(), state));
        Proxy { port, wire, targets }
    }

    /// Moves the last target to the front, so that new connections go to it.
    ///
    /// A load balancer that deregisters a server has the same effect.
    pub fn rotate(&self) {
        lock(&self.targets).rotate_right(1);
    }

    /// Changes the behaviour.
    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn listen(port: u16) -> TcpListener {
    loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn accept(
    mut listener: Option<TcpListener>,
    port: u16,
    targets: Targets,
    mut wire: watch::Receiver<Wire>,
) {
    loop {
        let now = *wire.borrow_and_update();
        if now == Wire::Refused {
            listener = None;
            if wire.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => listen(port).await,
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    tokio::spawn(connect(client, targets.clone(), wire.clone()));
                }
            }
            changed = wire.changed() => if changed.is_err() { return },
        }
        listener = Some(open);
    }
}

async fn connect(client: TcpStream, targets: Targets, mut wire: watch::Receiver<Wire>) {
    let _ = client.set_nodelay(true);
    if *wire.borrow() == Wire::Reset {
        return reset(client);
    }
    let addresses = lock(&targets).clone();
    let Ok(server) = TcpStream::connect(&addresses[..]).await else {
        return reset(client);
    };
    let _ = server.set_nodelay(true);
    let raw = client.as_raw_fd();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (set_lost, lost) = watch::channel(false);
    let up = forward_requests(from_client, to_server, wire.clone(), set_lost);
    let down = forward_answers(from_server, to_client, wire.clone(), lost);
    let cut = async {
        while !matches!(*wire.borrow_and_update(), Wire::Reset | Wire::Refused) {
            if wire.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = async { tokio::join!(up, down); } => {}
        () = cut => reset_on_close(raw),
    }
}

/// Forwards bytes from the client to the server. Sets `lost` when the answer to the last request must be lost.
async fn forward_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut wire: watch::Receiver<Wire>,
    lost: watch::Sender<bool>,
) {
    let mut block = vec![0; BLOCK];
    while let Ok(read @ 1..) = from.read(&mut block).await {
        let now = wait_until_open(&mut wire, read).await;
        let is_completion = block.starts_with(b"POST ") && contains(&block[..read.min(2000)], b"uploadId=");
        lost.send_replace(now == Wire::CompletionLost && is_completion);
        if now == Wire::Unavailable {
            return;
        }
        if to.write_all(&block[..read]).await.is_err() {
            return;
        }
    }
}

/// Forwards bytes from the server to the client.
async fn forward_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut wire: watch::Receiver<Wire>,
    lost: watch::Receiver<bool>,
) {
    let (mut block, mut passed) = (vec![0; BLOCK], 0);
    loop {
        let read = match from.read(&mut block).await {
            Ok(read @ 1..) => read,
            _ => {
                if *wire.borrow() == Wire::Unavailable {
                    let _ = to.write_all(NO_SERVICE).await;
                }
                return;
            }
        };
        match wait_until_open(&mut wire, read).await {
            Wire::CutAfter(limit) if passed + read > limit => {
                let _ = to.write_all(&block[..limit.saturating_sub(passed)]).await;
                return;
            }
            Wire::Flipped if passed + read > FLIP_AT && passed <= FLIP_AT => {
                block[FLIP_AT - passed] ^= 0x40;
            }
            Wire::CompletionLost if *lost.borrow() => return,
            _ => {}
        }
        passed += read;
        if to.write_all(&block[..read]).await.is_err() {
            return;
        }
    }
}

/// Waits until `bytes` may pass, and returns the behaviour at that moment.
async fn wait_until_open(wire: &mut watch::Receiver<Wire>, bytes: usize) -> Wire {
    loop {
        let now = *wire.borrow_and_update();
        match now {
            Wire::Silent => {
                if wire.changed().await.is_err() {
                    return now;
                }
            }
            Wire::Slow(rate) => {
                tokio::time::sleep(Duration::from_secs_f64(bytes as f64 / rate as f64)).await;
                return now;
            }
            _ => return now,
        }
    }
}

fn lock(targets: &Targets) -> MutexGuard<'_, Vec<SocketAddr>> {
    targets.lock()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Closes a connection with a reset (RST) instead of an orderly end (FIN).
fn reset(stream: TcpStream) {
    reset_on_close(stream.as_raw_fd());
}

/// Makes the kernel send a reset when the socket is closed.
fn reset_on_close(socket: i32) {
    let off = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let size = std::mem::size_of_val(&off) as libc::socklen_t;
    // SAFETY: `off` is a valid linger for the duration of the call; a wrong descriptor only returns an error.
    unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const off).cast(),
            size,
        )
    };
}
