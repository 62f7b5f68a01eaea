//! Requests for sources on the web.

use super::store::STALL_LIMIT;
use crate::{Pipeline, outbound};
use ipnet::IpNet;
use reqwest::{Client, StatusCode, Url};
use vidp_contract::FailureCode;
use vidp_record::plan::fetch::Failed;

/// Creates the client for URLs. Create it once: it loads the root certificates.
pub(super) fn client(allowed: &[IpNet]) -> reqwest::Result<Client> {
    let client = outbound::client(allowed).redirect(outbound::redirects(allowed));
    client.read_timeout(STALL_LIMIT).build()
}

/// Requests a URL. Checks it again, because the settings may have changed since the job was created.
pub(super) async fn request(
    pipeline: &Pipeline,
    web: &Client,
    url: &str,
) -> Result<reqwest::Response, Failed> {
    let refused = |detail: String| Failed::permanent(FailureCode::SourceMissing, detail);
    let allowed = &pipeline.settings.outbound_allow;
    let url = Url::parse(url).map_err(|error| refused(error.to_string()))?;
    outbound::check(&url, allowed).map_err(|error| refused(error.to_string()))?;
    let answer = web.get(url).send().await.map_err(|error| {
        let error = error.without_url();
        match outbound::refusal(&error) {
            Some(reason) => refused(reason.to_string()),
            None => Failed::Transient(format!("the server cannot be reached: {error}")),
        }
    })?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
            Err(Failed::Transient(format!("the server answers {status}")))
        }
        status if status.is_server_error() => Err(Failed::Transient(format!("the server answers {status}"))),
        status => Err(refused(format!("the server answers {status}"))),
    }
}
