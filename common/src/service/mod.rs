//! The frame of every service: an HTTP server that idle clients cannot block, the probes, a watchdog, and the shutdown
//! by signal.

mod healthcheck;
mod linger;
mod write_timeout;

pub use healthcheck::healthcheck;

use crate::metrics::Handle;
use anyhow::{Context, Result};
use axum::{Router, http::StatusCode, routing::get};
use hyper::{Request, body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use linger::Lingering;
use rustix::process::DumpableBehavior;
use socket2::SockRef;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use write_timeout::WriteTimeout;

/// Time limit for the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for open requests after the shutdown signal.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Hides the memory and the environment of this process, which hold secrets, from other processes of its user.
///
/// Call it before anything else. Child programs read files of strangers under the same user; without this call one could
/// open `/proc/<pid>/environ` or `/proc/<pid>/mem`. The price: no core dump, and a debugger needs root.
pub fn hide_memory() -> Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .context("prctl(PR_SET_DUMPABLE) failed: the secrets of this process would be readable")
}

/// The client address of a connection, which [`serve`] adds to each request as an extension.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Largest head of a request, and most bytes of an answer that wait in the process for one slow client. The longest URL
/// has 64 KiB.
const MAX_BUFFER: usize = 128 << 10;

/// Limits of a listener's connections.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Concurrent connections; further ones wait until others end.
    pub max: usize,
    /// Time after which a connection is closed when its client takes nothing of an answer.
    pub write_timeout: Duration,
}

impl Connections {
    /// For the listener of probes and metrics: the kubelet and Prometheus need two connections.
    pub const PROBES: Connections = Connections {
        max: 64,
        write_timeout: Duration::from_secs(10),
    };
}

/// Listens on the address of a setting. The error names both.
pub async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another program using the port? ({setting})")
    })
}

/// Serves until `shutdown`, then waits for open requests, within a time limit.
///
/// `axum::serve` has no timeout for the head of a request, so that a client that never completes one would keep its
/// connection for ever. hyper's server has one.
pub async fn serve(listener: TcpListener, router: Router, limits: Connections, shutdown: CancellationToken) {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER);
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(limits.max));
    let accept = async || {
        let permit = connections.clone().acquire_owned().await.expect("never closed");
        let (stream, peer) = listener.accept().await?;
        std::io::Result::Ok((stream, peer, permit))
    };
    loop {
        let (stream, peer, permit) = tokio::select! {
            accepted = accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // The usual cause is a lack of file descriptors: wait until some are closed.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = shutdown.cancelled() => break,
        };
        let _ = stream.set_nodelay(true);
        // The kernel gives up a client that disappeared while an answer was on its way.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(limits.write_timeout));
        let service = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        let stream = WriteTimeout::new(Lingering::new(stream, permit), limits.write_timeout);
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that disconnects is not an error.
            let _ = watched.await;
        });
    }
    drop(listener);
    if tokio::time::timeout(CLOSE_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time");
    }
}

/// Returns a token that SIGTERM or SIGINT cancels.
pub fn shutdown_signal() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(token)
}

/// A watchdog: a loop calls [`beat`](Self::beat), and the liveness probe reads it.
#[derive(Clone)]
pub struct Pulse {
    started: Instant,
    last: Arc<AtomicU64>,
    limit: Duration,
}

impl Pulse {
    /// Creates a watchdog that expires after `limit` without a beat.
    pub fn new(limit: Duration) -> Self {
        Pulse {
            started: Instant::now(),
            last: Arc::new(AtomicU64::new(0)),
            limit,
        }
    }

    /// Records that the loop is alive.
    pub fn beat(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// True when the last beat is within the limit.
    pub fn is_alive(&self) -> bool {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last) <= self.limit
    }
}

/// Router with `/health`, `/ready` and `/metrics` of a worker.
///
/// Health depends on the worker's watchdog and never on a dependency: otherwise an outage of the broker would restart
/// every worker in the middle of its task.
pub fn probes(pulse: Pulse, ready: Arc<AtomicBool>, metrics: Handle) -> Router {
    let answer = |good: bool, name| match good {
        true => (StatusCode::OK, format!("{name}\n")),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("not {name}\n")),
    };
    Router::new()
        .route("/health", get(async move || answer(pulse.is_alive(), "healthy")))
        .route(
            "/ready",
            get(async move || answer(ready.load(Ordering::Relaxed), "ready")),
        )
        .route("/metrics", get(async move || metrics.render()))
}
