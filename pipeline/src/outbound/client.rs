//! The HTTP client for clients' URLs.

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

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that connects to public addresses and those of `allowed` and to no others, through no proxy. It follows no
/// redirects, unless given [`redirects`]. Every URL goes through [`check`] first: the client itself looks at names.
pub fn client(allowed: &[IpNet]) -> ClientBuilder {
    // One of the process's TLS libraries must be named; an error says that it has been.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .dns_resolver(Public(allowed.into()))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("vidp/", env!("CARGO_PKG_VERSION")))
}

/// A few redirects, to where the first request could have gone as well.
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

/// Why a request was not made, when it was refused here.
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

/// Resolves names to the addresses that may be connected to.
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
