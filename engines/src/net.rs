//! The little networking that waiting for a process needs.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Mutex,
    time::Duration,
};

/// Below the range from which the kernel takes the ports of outgoing connections: else a client could take the port
/// between this choice and the engine's bind.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
const TIMEOUT: Duration = Duration::from_secs(2);

/// A loopback port that nobody listens on, and that this process has not handed out before.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    loop {
        // Every `RandomState` has keys of its own: random enough to keep neighbours apart, with no crate for it.
        let random = RandomState::new().hash_one(0) % PORTS.len() as u64;
        let port = PORTS.start + random as u16;
        if !given.contains(&port) && TcpListener::bind(loopback(port)).is_ok() {
            given.push(port);
            return port;
        }
    }
}

/// The status and body of `GET http://127.0.0.1:<port><path>`; `None` when there is no answer within 2 s.
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

/// A connection whose reads and writes end after 2 s.
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

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
