//! The OpenAPI document: what `routes.rs` and the handlers' annotations say, completed with what holds for every
//! operation. `docs/openapi.json` is a copy, which a test compares.

mod operation;
mod parts;

use vidp_pipeline::Shared;
use vidp_record::api_key::Scope;
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};
use utoipa::{ToSchema, openapi::OpenApi};
use utoipa_axum::router::UtoipaMethodRouter;

/// Gives handlers the URL that `routes.rs` names; in their annotations it is empty.
pub fn at(
    url: &str,
    (schemas, mut paths, methods): UtoipaMethodRouter<Shared>,
) -> UtoipaMethodRouter<Shared> {
    // All of them have the empty one, so there is one item.
    let items = std::mem::take(&mut paths.paths).into_values();
    paths.paths = items.map(|item| (url.to_owned(), item)).collect();
    (schemas, paths, methods)
}

/// The document of all groups of routes, each with the scope that it needs. Fails when an annotation is wrong.
pub fn document(groups: impl IntoIterator<Item = (Option<Scope>, OpenApi)>) -> Result<Value> {
    let examples: Map<String, Value> = serde_json::from_str(include_str!("openapi/examples.json"))?;
    let (mut paths, mut schemas) = (Map::new(), parts::schemas()?);
    for (scope, group) in groups {
        let mut group = serde_json::to_value(group)?;
        for (url, item) in object(&mut group["paths"])? {
            for (method, operation) in object(item)? {
                operation::complete(operation, scope, &examples)
                    .with_context(|| format!("{method} {url}"))?;
                let known = paths.entry(url).or_insert(Value::Object(Map::new()));
                known[method.as_str()] = operation.take();
            }
        }
        for (name, schema) in object(&mut group["components"]["schemas"])? {
            let before = schemas.insert(name.clone(), schema.clone());
            ensure!(
                before.is_none_or(|before| before == *schema),
                "two types are named {name}: give one of them another with #[schema(as = …)]"
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
pub struct Binary(());

fn object(value: &mut Value) -> Result<&mut Map<String, Value>> {
    value.as_object_mut().context("expected an object")
}

#[cfg(test)]
mod tests {
    use crate::router;
    use serde_json::Value;
    use std::{fs, collections::HashSet, path::Path};

    fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
        let items = document["paths"].as_object().unwrap().iter();
        items.flat_map(|(url, item)| {
            let of_item = item.as_object().unwrap().iter();
            of_item.map(move |(method, operation)| (format!("{method} {url}"), operation))
        })
    }

    #[test]
    fn the_copy_in_docs_is_this_document() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        let document = serde_json::to_string_pretty(&routes::document().unwrap()).unwrap() + "\n";
        if std::env::var_os("VIDP_RENEW_OPENAPI").is_some() {
            fs::write(&path, &document).unwrap();
        }
        let same = fs::read_to_string(&path).is_ok_and(|copy| copy == document);
        assert!(
            same,
            "docs/openapi.json differs from the code: run `make openapi` and commit the change"
        );
    }

    #[test]
    fn every_operation_is_described() {
        let document = routes::document().unwrap();
        let mut names = HashSet::new();
        for (place, operation) in operations(&document) {
            assert!(
                names.insert(operation["operationId"].as_str().unwrap()),
                "{place}: its operationId is taken"
            );
            for field in ["summary", "description"] {
                assert!(
                    operation[field].as_str().is_some_and(|text| !text.is_empty()),
                    "{place}: no {field}"
                );
            }
            let tags = document["tags"].as_array().unwrap();
            assert!(
                tags.iter().any(|tag| tag["name"] == operation["tags"][0]),
                "{place}: its tag is not listed"
            );
            let responses = operation["responses"].as_object().unwrap().iter();
            let bodies = responses.map(|(status, response)| (status.as_str(), response));
            for (status, body) in bodies.chain([("request", &operation["requestBody"])]) {
                for (kind, content) in body["content"].as_object().into_iter().flatten() {
                    let examples = [&content["example"], &content["examples"]];
                    assert!(
                        examples.iter().any(|one| !one.is_null()),
                        "{place}: {status} {kind} has no example"
                    );
                }
            }
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters {
                let name = &parameter["name"];
                assert!(
                    parameter["description"].is_string(),
                    "{place}: {name} has no description"
                );
                assert!(!parameter["example"].is_null(), "{place}: {name} has no example");
            }
        }
    }
}
