//! Tests of the whole OpenAPI document. They need every route.

use crate::router;
use serde_json::Value;
use std::{collections::HashSet, fs, path::Path};

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
    let document = serde_json::to_string_pretty(&router::document().unwrap()).unwrap() + "\n";
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
    let document = router::document().unwrap();
    let mut names = HashSet::new();
    for (place, operation) in operations(&document) {
        assert!(
            names.insert(operation["operationId"].as_str().unwrap()),
            "{place}: another operation has this operationId"
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
