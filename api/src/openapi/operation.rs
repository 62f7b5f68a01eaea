//! Completes an operation with the parts that annotations omit: problems, request id, key and examples.

use super::parts::{REQUEST_ID, object};
use crate::http::problem::Code;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use vidp_record::api_key::Scope;

/// The extension in which an annotation lists the problem codes of its operation. Responses replace it in the document.
const PROBLEMS: &str = "x-problems";
/// Problem codes of every operation: those of the framework and of internal errors.
const ALWAYS: &[Code] = &[Code::InvalidRequest, Code::Internal];
/// Problem codes of the operations that require a key.
const WITH_KEY: &[Code] = &[
    Code::Unauthenticated,
    Code::InsufficientScope,
    Code::TooManyRequests,
    Code::Unavailable,
];

/// Completes an operation. Fails when it names an unknown problem code.
pub(crate) fn complete(operation: &mut Value, scopes: &[Scope], examples: &Map<String, Value>) -> Result<()> {
    let own = object(operation)?.shift_remove(PROBLEMS).unwrap_or(json!([]));
    remove_full_stop(&mut operation["summary"]);
    let mut codes = ALWAYS.to_vec();
    for name in serde_json::from_value::<Vec<String>>(own)? {
        let code = Code::ALL.iter().find(|code| code.as_str() == name);
        codes.push(*code.with_context(|| format!("{name:?} is not a problem code"))?);
    }
    if !scopes.is_empty() {
        codes.extend(WITH_KEY);
        let keys = scopes.iter().map(|scope| json!({ "key": [scope.as_str()] }));
        operation["security"] = keys.collect();
    }
    // Each code once, in the order of the list.
    let codes = Code::ALL.iter().filter(|code| codes.contains(code));
    let mut by_status = BTreeMap::<_, Vec<Code>>::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(*code);
    }
    for (status, codes) in by_status {
        add_problems(&mut operation["responses"][status.as_str()], &codes);
    }
    for parameter in operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        remove_null(parameter);
    }
    let responses = object(&mut operation["responses"])?;
    responses.sort_keys();
    for response in responses.values_mut() {
        response["headers"]["X-Request-Id"] = json!({ "$ref": "#/components/headers/RequestId" });
        for header in object(&mut response["headers"])?.values_mut() {
            remove_null(header);
        }
        set_examples(response, examples);
    }
    if let Some(body) = operation.get_mut("requestBody") {
        for content in object(&mut body["content"])?.values_mut() {
            remove_null(content);
        }
        set_examples(body, examples);
    }
    Ok(())
}

/// A summary is a title; in the code it is the first sentence of a doc comment.
fn remove_full_stop(summary: &mut Value) {
    if let Some(text) = summary.as_str() {
        *summary = json!(text.trim_end_matches('.'));
    }
}

/// Removes null from the schema of a header, parameter or body. utoipa makes an `Option` nullable, but these are absent
/// rather than null.
fn remove_null(holder: &mut Value) {
    let Some(schema) = holder.get_mut("schema") else {
        return;
    };
    let is_null = |one: &Value| one == "null" || one["type"] == "null";
    for several in ["type", "oneOf"] {
        let Some(kinds) = schema.get_mut(several).and_then(Value::as_array_mut) else {
            continue;
        };
        kinds.retain(|kind| !is_null(kind));
        if let [one] = &mut kinds[..] {
            let one = one.take();
            match several {
                "type" => schema["type"] = one,
                _ => *schema = one,
            }
        }
    }
}

/// Adds the problem codes of one status, each with an example, to the description that the annotation has for the status.
fn add_problems(response: &mut Value, codes: &[Code]) {
    let meanings = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.meaning()));
    let own = response["description"].as_str().map(str::to_owned);
    let description: Vec<_> = own.into_iter().chain(meanings).collect();
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let examples: Map<_, _> = codes
        .iter()
        .map(|code| (code.as_str().to_owned(), example(*code)))
        .collect();
    response["description"] = json!(description.join("\n\n"));
    response["content"]["application/problem+json"] = json!({
        "schema": {
            "allOf": [{ "$ref": "#/components/schemas/Problem" }],
            "properties": { "code": { "enum": names } },
        },
        "examples": examples,
    });
    if codes.iter().any(|code| code.retry_after().is_some()) {
        response["headers"]["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
    }
}

/// A problem with this code.
fn example(code: Code) -> Value {
    json!({ "value": {
        "type": "about:blank",
        "title": code.title(),
        "status": code.status().as_u16(),
        "code": code.as_str(),
        "detail": code.meaning(),
        "request_id": REQUEST_ID,
    } })
}

/// Sets the example of the schema on each body that has no example.
fn set_examples(holder: &mut Value, examples: &Map<String, Value>) {
    let content = holder.get_mut("content").and_then(Value::as_object_mut);
    let bodies = content.into_iter().flat_map(Map::values_mut);
    for body in bodies.filter(|body| body.get("example").is_none() && body.get("examples").is_none()) {
        let schema = body["schema"]["$ref"]
            .as_str()
            .and_then(|path| path.rsplit('/').next());
        if let Some(example) = schema.and_then(|name| examples.get(name)) {
            body["example"] = example.clone();
        }
    }
}
