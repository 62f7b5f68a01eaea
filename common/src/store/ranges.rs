//! Reading ranges of one object for a child program: a server on 127.0.0.1 that the child may connect to.
//!
//! The child gets neither a key nor a presigned URL. A response that the store cuts is resumed here, and a failure that
//! remains is kept for the caller: ffmpeg takes a broken connection for the end of the file.

mod blocks;
mod body;
mod object;
mod request;

use super::{client::Store, error::StoreError};
use axum::{
    body::Body,
    http::{
        Request, Response, StatusCode,
        header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE},
    },
};
pub use blocks::Blocks;
use body::{Connection, stream};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use object::Object;
use parking_lot::Mutex;
use request::Wanted;
use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;
use vidp_contract::hex;

/// Connections at most. ffmpeg has one, and for a moment the one before it.
const MAX_CONNECTIONS: usize = 8;
/// Bytes of a connection that wait for the child in each of two buffers. The child reads a little here and there, and what
/// waits when it closes a connection was fetched in vain.
const BUFFER: u32 = 16 << 10;

/// A server for one object. It stops when the value is dropped.
pub struct Ranges {
    url: String,
    port: u16,
    object: Arc<Object>,
    _server: AbortOnDropHandle<()>,
}

impl Ranges {
    /// Starts a server for the object `key`, which has `size` bytes. Sends no request to the store.
    ///
    /// With the hashes of its blocks the child receives no other bytes than those that were hashed.
    pub fn start(store: &Store, key: &str, size: u64, blocks: Option<Blocks>) -> io::Result<Ranges> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let socket = TcpSocket::new_v4()?;
        socket.set_send_buffer_size(BUFFER)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(MAX_CONNECTIONS as u32)?;
        let port = listener.local_addr()?.port();
        let object = Arc::new(Object {
            store: store.clone(),
            key: key.to_owned(),
            size,
            path: format!("/{}", hex(&secret)),
            tag: Mutex::default(),
            blocks,
            bytes_read: AtomicU64::new(0),
            failure: Mutex::default(),
        });
        Ok(Ranges {
            url: format!("http://127.0.0.1:{port}{}", object.path),
            port,
            _server: AbortOnDropHandle::new(tokio::spawn(serve(listener, object.clone()))),
            object,
        })
    }

    /// URL of the object.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Bytes of the object that were passed on to the child until now; with hashes, those of the blocks that were compared for
    /// them.
    pub fn bytes_read(&self) -> u64 {
        self.object.bytes_read.load(Ordering::Relaxed)
    }

    /// Fails when a range could not be read completely: the child may have taken a part of the object for the whole.
    ///
    /// # Errors
    /// The first failure, once. No range is served after it.
    pub fn check(&self) -> Result<(), StoreError> {
        self.object.failure.lock().take().map_or(Ok(()), Err)
    }
}

/// Accepts connections until the task is aborted, which closes them.
async fn serve(listener: TcpListener, object: Arc<Object>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            continue;
        }
        let _ = stream.set_nodelay(true);
        let object = object.clone();
        let service = service_fn(move |request| answer(object.clone(), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .max_buf_size(BUFFER as usize)
            .serve_connection(TokioIo::new(stream), service);
        // The child closes a connection when it has read enough: not an error.
        connections.spawn(async move { connection.await.unwrap_or_default() });
    }
}

async fn answer(object: Arc<Object>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let only = |status| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response
    };
    let Wanted { range, status } = match Wanted::parse(&request, &object.path, object.size) {
        Ok(wanted) => wanted,
        Err(status) => return Ok(only(status)),
    };
    if object.failure.lock().is_some() {
        return Ok(only(StatusCode::BAD_GATEWAY));
    }
    let size = object.size;
    let (start, end) = (range.start, range.end);
    let connection = match Connection::open(object.clone(), range).await {
        Ok(connection) => connection,
        Err(error) => {
            object.fail(error);
            return Ok(only(StatusCode::BAD_GATEWAY));
        }
    };
    let mut response = only(status);
    *response.body_mut() = Body::from_stream(stream(connection));
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, "bytes".parse().expect("a valid header"));
    headers.insert(CONTENT_LENGTH, (end - start).into());
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{size}", end - 1);
        headers.insert(CONTENT_RANGE, range.parse().expect("a valid header"));
    }
    Ok(response)
}
