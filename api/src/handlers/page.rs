//! The web page at `/`. Its files are part of the program. A debug build reads them from `web/` at each request, so
//! that a change shows without compiling.
//!
//! `/web/js/contract.js` is not a file: the program writes it from the contract, so that the page repeats no list.

use crate::{
    config::ApiConfig,
    http::{
        etag::ETag,
        problem::{Code, Problem},
    },
    state::AppState,
};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::Embed;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, sync::Arc};
use tower_http::compression::CompressionLayer;
use url::Url;
use vidp_contract::{Codec, FailureCode, JobOptions, Lane, Rendition, SkipCode, Stage, SubtitleFormat};

/// The generated module's path below `/web/`.
const CONTRACT: &str = "js/contract.js";

/// The files of the page.
#[derive(Embed)]
#[folder = "../web"]
#[exclude = "*.md"]
#[exclude = "biome.json"]
#[exclude = "embed.html"]
struct Files;

/// One part of the page, with what its HTTP headers state.
struct Asset {
    content_type: String,
    sha256: [u8; 32],
    content: Cow<'static, [u8]>,
}

/// Routes of `/` and of the files below `/web/`. They are not part of the OpenAPI document.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route(
            "/",
            get(async |State(config): State<Arc<ApiConfig>>, headers: HeaderMap| {
                answer(&config, &headers, "index.html")
            }),
        )
        .route(
            "/web/{*path}",
            get(
                async |State(config): State<Arc<ApiConfig>>, headers: HeaderMap, Path(path): Path<String>| {
                    answer(&config, &headers, &path)
                },
            ),
        )
        .layer(CompressionLayer::new())
}

fn answer(config: &ApiConfig, headers: &HeaderMap, path: &str) -> Response {
    let Some(asset) = asset(path) else {
        return Problem::new(Code::NotFound, "there is no resource at this address").into_response();
    };
    // Weak, because compression changes the bytes that are sent.
    let tag = ETag::of_sha256(&asset.sha256).weak();
    // A 304 carries the policy too: browsers apply the headers of the latest answer to the stored page.
    let policy = policy(&config.public_s3().s3_endpoint, "'none'");
    let common = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, &policy),
    ];
    let common = ([(header::ETAG, tag.value())], common);
    if tag.is_known(headers) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, asset.content_type)];
    (common, content_type, asset.content).into_response()
}

/// The file or generated module at `path`; `None` when nothing is there.
fn asset(path: &str) -> Option<Asset> {
    if path == CONTRACT {
        let content = contract().into_bytes();
        return Some(Asset {
            content_type: "text/javascript".to_owned(),
            sha256: Sha256::digest(&content).into(),
            content: content.into(),
        });
    }
    let file = Files::get(path)?;
    Some(Asset {
        content_type: file.metadata.mimetype().to_owned(),
        sha256: file.metadata.sha256_hash(),
        content: file.data,
    })
}

/// The contract's lists of values, and the defaults of a job's options, as an ES module.
fn contract() -> String {
    let exports = [
        ("STAGES", json!(Stage::ALL)),
        ("RENDITIONS", json!(Rendition::ALL)),
        ("CODECS", json!(Codec::ALL)),
        ("FORMATS", json!(SubtitleFormat::ALL)),
        ("LANES", json!(Lane::ALL)),
        ("FAILURE_CODES", json!(FailureCode::ALL)),
        ("SKIP_CODES", json!(SkipCode::ALL)),
        ("DEFAULTS", json!(JobOptions::default())),
    ];
    exports
        .map(|(name, value)| format!("export const {name} = {value};\n"))
        .concat()
}

/// The Content-Security-Policy of a page: nothing from other hosts, except media behind presigned URLs of the object store. Pages of
/// `ancestors` may show it in a frame.
pub(super) fn policy(store: &str, ancestors: &str) -> String {
    let store = Url::parse(store).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization());
    // hls.js makes tracks of captions with an empty file as `data:`.
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob: {store}; \
         media-src 'self' data: blob: {store}; connect-src 'self' {store}; base-uri 'none'; form-action 'none'; \
         frame-ancestors {ancestors}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::HashMap;

    /// The exports of the generated module by name, read as a browser reads them.
    fn exports() -> HashMap<String, Value> {
        let module = asset(CONTRACT).unwrap();
        assert_eq!(module.content_type, "text/javascript");
        let text = String::from_utf8(module.content.into_owned()).unwrap();
        let lines = text.lines().map(|line| {
            let (name, value) = line
                .strip_prefix("export const ")
                .and_then(|rest| rest.strip_suffix(';'))
                .and_then(|rest| rest.split_once(" = "))
                .unwrap();
            (name.to_owned(), serde_json::from_str(value).unwrap())
        });
        lines.collect()
    }

    #[test]
    fn the_generated_module_has_every_value_of_the_contract() {
        let exports = exports();
        for (name, values) in [
            ("STAGES", &Stage::ALL.map(Stage::as_str)[..]),
            ("RENDITIONS", &Rendition::ALL.map(Rendition::as_str)[..]),
            ("CODECS", &Codec::ALL.map(Codec::as_str)[..]),
            ("FORMATS", &SubtitleFormat::ALL.map(SubtitleFormat::as_str)[..]),
            ("LANES", &Lane::ALL.map(Lane::as_str)[..]),
            ("FAILURE_CODES", &FailureCode::ALL.map(FailureCode::as_str)[..]),
            ("SKIP_CODES", &SkipCode::ALL.map(SkipCode::as_str)[..]),
        ] {
            assert_eq!(exports[name], json!(values), "{name}");
        }
        let defaults: JobOptions = serde_json::from_value(exports["DEFAULTS"].clone()).unwrap();
        assert_eq!(defaults, JobOptions::default());
    }

    #[test]
    fn the_page_imports_only_names_that_the_generated_module_exports() {
        let exports = exports();
        let mut imported = 0;
        for path in Files::iter().filter(|path| path.starts_with("js/")) {
            let text = String::from_utf8(Files::get(&path).unwrap().data.into_owned()).unwrap();
            // The relative path to the module has one `../` for each folder between `js/` and the file.
            let up = match path.matches('/').count() {
                1 => "./".to_owned(),
                slashes => "../".repeat(slashes - 1),
            };
            for (before, _) in text.match_indices("contract.js'") {
                let names = text[..before]
                    .strip_suffix(&format!(" }} from '{up}"))
                    .and_then(|list| list.rsplit_once("{ "))
                    .unwrap_or_else(|| panic!("{path} imports the generated module from a wrong path"))
                    .1;
                for name in names.split(", ").map(|name| name.split(' ').next().unwrap()) {
                    assert!(exports.contains_key(name), "{path} imports {name}");
                    imported += 1;
                }
            }
        }
        assert!(imported >= 5, "found only {imported} imports");
    }

    #[test]
    fn the_policy_names_the_store_and_the_pages_around() {
        let policy = policy(
            "https://store.example:9000/vidp",
            "https://shop.example *.example.com",
        );
        assert!(
            policy.ends_with("; frame-ancestors https://shop.example *.example.com"),
            "{policy}"
        );
        assert!(
            policy.contains("; connect-src 'self' https://store.example:9000; "),
            "{policy}"
        );
    }

    #[test]
    fn documents_and_settings_of_tools_are_not_served() {
        for path in ["README.md", "vendor/README.md", "biome.json", "embed.html"] {
            assert!(asset(path).is_none(), "{path}");
        }
        for path in ["index.html", "js/main.js", "js/embed.js", "css/base.css"] {
            assert!(asset(path).is_some(), "{path}");
        }
    }
}
