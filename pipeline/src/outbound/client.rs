//! The HTTP client for URLs that clients chose.

use super::{
    address::{Networks, may_connect},
    url::{MAX_REDIRECTS, Refused, check},
};
use reqwest::{
    ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Time limit of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Creates a client that connects only to public addresses and those that the settings allow, without a proxy.
///
/// It sends no `Referer`, which would pass the signature in a URL's query on to the target of a redirect. It follows no redirects unless it is given [`redirects`]. Call [`check`] on every URL first: the client itself
/// checks names only.
pub fn client(networks: &Networks) -> ClientBuilder {
    // The process needs a default TLS library. An error means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .dns_resolver(Public(Arc::new(networks.clone())))
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("vidp/", env!("CARGO_PKG_VERSION")))
}

/// Returns a policy that follows a few redirects, to URLs that [`check`] accepts.
pub fn redirects(networks: &Networks) -> Policy {
    let networks = networks.clone();
    Policy::custom(move |attempt| {
        if attempt.previous().len() > MAX_REDIRECTS {
            return attempt.error(Refused::Redirects);
        }
        match check(attempt.url(), &networks) {
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
struct Public(Arc<Networks>);

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        let networks = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            if let Err(error) = &found {
                tracing::debug!(host = name.as_str(), %error, "a host name cannot be resolved");
            }
            let public: Vec<SocketAddr> = found
                .into_iter()
                .flatten()
                .filter(|address| may_connect(address.ip(), &networks))
                .collect();
            if public.is_empty() {
                return Err(Refused::Name(name.as_str().to_owned()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_like_an_unknown_one() {
        for name in ["localhost", "nothing.invalid"] {
            let client = client(&Networks::default()).build().unwrap();
            let error = client.get(format!("https://{name}/")).send().await.unwrap_err();
            let expected = Refused::Name(name.to_owned());
            assert_eq!(refusal(&error), Some(&expected), "{error:?}");
        }
    }
}
