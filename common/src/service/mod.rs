//! What every service needs around its work: an HTTP server that cannot be held open by idle clients, the probes,
//! a watchdog, and the end by signal.

mod healthcheck;
mod linger;

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

/// A client must have sent its request's head by then.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Open requests may take this long after the signal.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a request's connection comes from; an extension of each request that [`serve`] takes.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Listens on an address; the error names it.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another program using the port? (VIDP_BIND)")
    })
}

/// Serves until `shutdown`, then lets open requests end. More connections than `max_connections` wait until others end.
///
/// `axum::serve` has no timeout for a request's head, so that a client which never ends it keeps its connection for
/// ever; hyper's own server has one.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    shutdown: CancellationToken,
) {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(max_connections));
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
                    // Out of file descriptors, most likely: wait for some to be closed.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = shutdown.cancelled() => break,
        };
        let _ = stream.set_nodelay(true);
        let service = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = server.serve_connection(TokioIo::new(Lingering::new(stream)), service);
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that hangs up is its own affair.
            let _ = watched.await;
            drop(permit);
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

/// Cancelled by SIGTERM or SIGINT.
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

/// A sign of life that a loop gives and the liveness probe reads.
#[derive(Clone)]
pub struct Pulse {
    started: Instant,
    last: Arc<AtomicU64>,
    limit: Duration,
}

impl Pulse {
    /// Dead after `limit` without a beat.
    pub fn new(limit: Duration) -> Self {
        Pulse {
            started: Instant::now(),
            last: Arc::new(AtomicU64::new(0)),
            limit,
        }
    }

    /// A sign of life.
    pub fn beat(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// There was a beat within the limit.
    pub fn is_alive(&self) -> bool {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last) <= self.limit
    }
}

/// `/health`, `/ready` and `/metrics` of a worker.
///
/// Health is the worker's own watchdog and never a dependency, or a broker outage would restart every worker in the
/// middle of its job.
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
