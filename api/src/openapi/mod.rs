//! The OpenAPI document: the annotations of the handlers with the URLs of the router, completed with the parts that are
//! common to all operations. `docs/openapi.json` is a copy; a test compares the two.

mod operation;
mod parts;

use crate::state::AppState;
use anyhow::{Context, Result, ensure};
use parts::object;
use serde_json::{Map, Value};
use utoipa::{ToSchema, openapi::OpenApi};
use utoipa_axum::router::UtoipaMethodRouter;
use vidp_record::api_key::Scope;

/// Sets the URL of handlers. The router names it, so that it is empty in their annotations.
pub(crate) fn at(
    url: &str,
    (schemas, mut paths, methods): UtoipaMethodRouter<AppState>,
) -> UtoipaMethodRouter<AppState> {
    // All annotations have the empty URL, so there is a single item.
    let items = std::mem::take(&mut paths.paths).into_values();
    paths.paths = items.map(|item| (url.to_owned(), item)).collect();
    (schemas, paths, methods)
}

/// Builds the document of groups of routes, each with the scopes of which it requires one. Fails when an annotation is
/// wrong.
pub(crate) fn document(groups: impl IntoIterator<Item = (&'static [Scope], OpenApi)>) -> Result<Value> {
    let examples: Map<String, Value> = serde_json::from_str(include_str!("examples.json"))?;
    let (mut paths, mut schemas) = (Map::new(), parts::schemas()?);
    for (scopes, group) in groups {
        let mut group = serde_json::to_value(group)?;
        for (url, item) in object(&mut group["paths"])? {
            for (method, operation) in object(item)? {
                operation::complete(operation, scopes, &examples)
                    .with_context(|| format!("{method} {url}"))?;
                let known = paths.entry(url).or_insert(Value::Object(Map::new()));
                known[method.as_str()] = operation.take();
            }
        }
        for (name, schema) in object(&mut group["components"]["schemas"])? {
            let before = schemas.insert(name.clone(), schema.clone());
            ensure!(
                before.is_none_or(|before| before == *schema),
                "two types are named {name}: rename one with #[schema(as = …)]"
            );
        }
    }
    for name in parts::STRICT {
        schemas[name]["additionalProperties"] = Value::Bool(false);
    }
    schemas.sort_keys();
    parts::document(paths, schemas)
}

/// A body of bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Binary(());
