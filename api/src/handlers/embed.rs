//! `GET /embed/{grant}`: a page with a player, for frames in pages of other sites.

use super::page::policy;
use crate::{
    config::ApiConfig,
    http::problem::{Code, Problem},
    playback::is_grant,
    state::AppState,
};
use axum::{
    Router,
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;

/// The page. Its script reads the grant from the address.
const PAGE: &str = include_str!("../../../web/embed.html");

/// The route of the page. It is not part of the OpenAPI document.
pub(crate) fn router() -> Router<AppState> {
    Router::new().route("/embed/{grant}", get(page))
}

/// Sends the page for text that has the form of a grant. The playlists check its signature and its end.
async fn page(
    grant: Result<Path<String>, PathRejection>,
    State(config): State<Arc<ApiConfig>>,
) -> Result<Response, Problem> {
    if !grant.is_ok_and(|Path(grant)| is_grant(&grant)) {
        return Err(Problem::new(
            Code::NotFound,
            "there is no resource at this address",
        ));
    }
    let policy = policy(
        &config.public_s3().s3_endpoint,
        config.embed_frame_ancestors.as_str(),
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
    ];
    Ok((headers, Html(PAGE)).into_response())
}
