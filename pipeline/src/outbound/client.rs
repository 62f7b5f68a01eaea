//! The HTTP client for URLs that clients chose.

use super::{
    address::may_connect,
    url::{MAX_REDIRECTS, Refused, check},
};
use ipnet::IpNet;
use reqwest::{
    ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Time limit of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Creates a client that connects only to public addresses and those in `allowed`, without a proxy.
///
/// It follows no redirects unless it is given [`redirects`]. Call [`check`] on every URL first: the client itself
/// checks names only.
pub fn client(allowed: &[IpNet]) -> ClientBuilder {
    // The process needs a default TLS library. An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .dns_resolver(Public(allowed.into()))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("vidp/", env!("CARGO_PKG_VERSION")))
}

/// Returns a policy that follows a few redirects, to URLs that [`check`] accepts.
pub fn redirects(allowed: &[IpNet]) -> Policy {
    let allowed = allowed.to_vec();
    Policy::custom(move |attempt| {
        if attempt.previous().len() > MAX_REDIRECTS {
            return attempt.error(Refused::Redirects);
        }
        match check(attempt.url(), &allowed) {
            Ok(()) => attempt.follow(),
            Err(refused) => attempt.error(refused),
        }
    })
}

/// Returns the reason when this module refused a request.
pub fn refusal(error: &reqwest::Error) -> Option<&Refused> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        source = error.source();
    }
    None
}

/// Resolves names to permitted addresses only.
struct Public(Arc<[IpNet]>);

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found
                .filter(|address| may_connect(address.ip(), &allowed))
                .collect();
            if public.is_empty() {
                return Err(Refused::Address(name.as_str().to_owned()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused() {
        let error = client(&[])
            .build()
            .unwrap()
            .get("https://localhost/")
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            refusal(&error),
            Some(&Refused::Address("localhost".to_owned())),
            "{error:?}"
        );
    }
}
