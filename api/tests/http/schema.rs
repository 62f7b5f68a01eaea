//! The API against its own OpenAPI document, called by schemathesis.

use crate::harness::{Guarded, clients, python};
use std::process::Stdio;

/// No request causes an error of the server, and every response conforms to the document.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,ignored_auth";
/// Requests per operation. More find more faults and take longer.
const EXAMPLES: &str = "10";

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let rig = Guarded::with(&[
        ("VIDP_REQUESTS_PER_MINUTE", "0".to_owned()),
        ("VIDP_FAILED_KEYS_PER_MINUTE", "0".to_owned()),
    ])
    .await;
    let scopes = [
        "jobs:read",
        "jobs:write",
        "webhooks:read",
        "webhooks:write",
        "admin",
    ];
    let key = rig.key("acme", &scopes).await;
    let folder = tempfile::tempdir().unwrap();
    let run = python("schemathesis-venv")
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(clients("schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/openapi.json", rig.rig.url))
        .args(["--header", &format!("Authorization: Bearer {key}")])
        .args(["--checks", CHECKS, "--max-examples", EXAMPLES])
        // Event streams do not end.
        .args(["--exclude-path-regex", "events$"])
        .args(["--seed", "1", "--no-color", "--request-timeout", "20"])
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", clients(""))
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    // It called operations at all.
    assert!(said.contains("Stateful"), "{said}");
}
