//! Requests for sources on the web.

use super::store::STALL_LIMIT;
use crate::{
    Pipeline,
    outbound::{self, Networks, Refused},
};
use reqwest::{Client, StatusCode, Url};
use std::time::SystemTime;
use vidp_contract::FailureCode;
use vidp_record::plan::fetch::Failed;

/// Creates the client for URLs. Create it once: it loads the root certificates.
pub(super) fn client(networks: &Networks) -> reqwest::Result<Client> {
    let client = outbound::client(networks).redirect(outbound::redirects(networks));
    client.read_timeout(STALL_LIMIT).build()
}

/// Requests a URL. Checks it again, because the settings may have changed since the job was created.
pub(super) async fn request(
    pipeline: &Pipeline,
    web: &Client,
    url: &str,
) -> Result<reqwest::Response, Failed> {
    let refused = |detail: String| Failed::permanent(FailureCode::SourceMissing, detail);
    let url = Url::parse(url).map_err(|error| refused(error.to_string()))?;
    outbound::check(&url, &pipeline.settings.outbound).map_err(|error| refused(error.to_string()))?;
    let answer = web.get(url).send().await.map_err(|error| {
        let error = error.without_url();
        match outbound::refusal(&error) {
            // The name may exist later.
            Some(reason @ Refused::Name(_)) => Failed::transient(reason),
            Some(reason) => refused(reason.to_string()),
            None => Failed::transient(format!("the server cannot be reached: {error}")),
        }
    })?;
    let status = answer.status();
    let answers = || format!("the server answers {status}");
    let may_recover = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
    );
    if status.is_success() {
        Ok(answer)
    } else if may_recover || status.is_server_error() {
        let pause = outbound::retry_after(answer.headers(), SystemTime::now());
        Err(Failed::busy(answers(), pause))
    } else {
        Err(refused(answers()))
    }
}
