//! Free ports, and the requests that show whether a process is ready.

use parking_lot::Mutex;
use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as UnixAddr, UnixDatagram},
    },
    time::Duration,
};

/// The range of free ports. It is below the kernel's range for outgoing connections, because a connection could
/// otherwise get the port between this choice and the engine's bind.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
const TIMEOUT: Duration = Duration::from_secs(2);

/// A loopback port without a listener, reserved for this process until it ends.
///
/// No other process gets the port from this function, even while the engine that uses it restarts.
pub fn free_port() -> u16 {
    static CLAIMS: Mutex<Vec<UnixDatagram>> = Mutex::new(Vec::new());
    loop {
        // Every `RandomState` has its own random keys, which suffices to avoid collisions and needs no crate.
        let random = RandomState::new().hash_one(0) % PORTS.len() as u64;
        let port = PORTS.start + random as u16;
        if let Some(claim) = claim(port)
            && !has_listener(port)
        {
            let mut claims = CLAIMS.lock();
            claims.push(claim);
            return port;
        }
    }
}

/// Reserves a port among the processes that use this crate; `None` when a process has it, including this one.
///
/// The reservation is the address of an abstract socket. The kernel allows one socket per address and network
/// namespace, the scope in which ports are unique too, and removes the socket with its process.
fn claim(port: u16) -> Option<UnixDatagram> {
    let address = UnixAddr::from_abstract_name(format!("vidp-port-{port}")).ok()?;
    UnixDatagram::bind_addr(&address).ok()
}

/// The status and body of `GET http://127.0.0.1:<port><path>`; `None` when no answer arrives within 2 s.
pub fn http_get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = connect(port)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// A connection whose reads and writes time out after 2 s.
pub(crate) fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&loopback(port), TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    Some(stream)
}

/// `port`, or a free one when it is 0.
pub(crate) fn port_or_free(port: u16) -> u16 {
    if port == 0 { free_port() } else { port }
}

/// Fails when a port has a listener.
///
/// That listener would answer readiness checks in place of the new process until the new process fails to bind.
pub(crate) fn require_free(port: u16) -> io::Result<()> {
    if has_listener(port) {
        let text = format!("port {port}: address already in use");
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    Ok(())
}

/// Checks a port by connecting to it.
///
/// A check that listens on the port could block it: a process forked by another thread at that moment inherits the
/// listening socket until its program is loaded.
fn has_listener(port: u16) -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    !TcpStream::connect_timeout(&loopback(port), TIMEOUT).is_err_and(refused)
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_free_port_belongs_to_the_process_that_got_it() {
        assert!(claim(free_port()).is_none());
        // The port is outside the range of `free_port`, so no other process reserves it.
        let port = (std::process::id() % 10_000) as u16;
        let first = claim(port).unwrap();
        assert!(claim(port).is_none());
        drop(first);
        assert!(claim(port).is_some());
    }

    #[test]
    fn a_port_is_free_without_a_listener() {
        let listener = TcpListener::bind(loopback(0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(require_free(port).is_err());
        assert!(require_free(free_port()).is_ok());
    }
}
