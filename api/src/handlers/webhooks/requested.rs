//! The properties of a webhook that clients set, and their checks.

use crate::{config::ApiConfig, http::problem::Problem};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;
use vidp_pipeline::outbound;
use vidp_record::webhook::{EventType, Secret};

/// Longest URL and longest description, in characters.
const MAX_TEXT: usize = 2048;

/// A webhook to create.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
pub(crate) struct Requested {
    /// URL that receives the messages: `https` with a public address.
    #[schema(format = "uri", max_length = 2048)]
    pub(super) url: String,
    /// Types of events to send. Default: all types, as for an empty list.
    #[serde(default)]
    pub(super) event_types: Vec<EventType>,
    /// Description for people.
    #[serde(default)]
    #[schema(max_length = 2048)]
    pub(super) description: String,
    /// False to create the webhook disabled. Default: true.
    #[serde(default = "enabled")]
    pub(super) enabled: bool,
    /// Secret that signs the messages: `whsec_` and the base64 of 24 to 64 bytes. Default: a random secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
}

fn enabled() -> bool {
    true
}

/// Checks the lengths of the texts, and that messages may be sent to the URL.
pub(super) fn check(config: &ApiConfig, requested: &Requested) -> Result<(), Problem> {
    for (name, text) in [("url", &requested.url), ("description", &requested.description)] {
        if text.chars().count() > MAX_TEXT {
            return Err(Problem::invalid(format!(
                "{name} must have at most {MAX_TEXT} characters"
            )));
        }
    }
    let url = Url::parse(&requested.url).map_err(|error| Problem::invalid(format!("url: {error}")))?;
    outbound::check(&url, &config.outbound()).map_err(|error| Problem::invalid(format!("url: {error}")))
}

/// The client's own secret, or a random one.
pub(super) fn secret(text: Option<String>) -> Result<Secret, Problem> {
    match text {
        None => Secret::random().map_err(Problem::internal),
        Some(text) => Secret::parse(&text)
            .ok_or_else(|| Problem::invalid("secret must be whsec_ and the base64 of 24 to 64 bytes")),
    }
}
