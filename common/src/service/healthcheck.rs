//! The health check that a container runs on itself, for images without a shell and curl.

use anyhow::{Context, Result, bail, ensure};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Time limit of the whole check.
const LIMIT: Duration = Duration::from_secs(4);

/// Requests `/ready` or `/health` from the service that listens on `bind`.
///
/// # Errors
/// Fails when the service does not answer, or with the text of any answer but 200.
pub async fn healthcheck(bind: SocketAddr, ready: bool) -> Result<()> {
    let path = if ready { "/ready" } else { "/health" };
    let address = reachable(bind);
    let Ok(answer) = timeout(LIMIT, get(address, path)).await else {
        bail!("http://{address}{path}: no answer within {} s", LIMIT.as_secs());
    };
    let answer = answer.with_context(|| format!("http://{address}{path}"))?;
    let (status, body) = (answer.lines().next().unwrap_or_default(), answer.lines().last());
    ensure!(
        status.split_whitespace().nth(1) == Some("200"),
        "http://{address}{path}: {status}: {}",
        body.unwrap_or_default()
    );
    Ok(())
}

/// The address for a request to a service on this machine: loopback if it listens on all addresses.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{Connections, bind, serve};
    use axum::{Router, http::StatusCode, routing};
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn tells_a_well_service_from_an_unready_and_an_absent_one() {
        let listener = bind("VIDP_BIND", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new()
            .route("/health", routing::get(async || "healthy"))
            .route(
                "/ready",
                routing::get(async || (StatusCode::SERVICE_UNAVAILABLE, "not ready")),
            );
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router, Connections::PROBES, stop.clone()));
        let everywhere = SocketAddr::from(([0, 0, 0, 0], port));
        healthcheck(everywhere, false).await.unwrap();
        let error = healthcheck(everywhere, true).await.unwrap_err().to_string();
        assert!(error.contains("503") && error.contains("not ready"), "{error}");
        stop.cancel();
        server.await.unwrap();
        assert!(healthcheck(everywhere, false).await.is_err());
    }
}
