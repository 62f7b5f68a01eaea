//! An API that requires keys.

use super::Rig;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// An API that requires keys.
pub(crate) struct Guarded {
    pub(crate) rig: Rig,
}

impl Guarded {
    const ADMIN_KEY: &str =
        "vidp_0123456789abcdef0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef";

    pub(crate) async fn new() -> Guarded {
        Guarded::with(&[]).await
    }

    /// Starts it with additional settings.
    pub(crate) async fn with(more: &[(&'static str, String)]) -> Guarded {
        let keys = [
            ("VIDP_AUTH", "keys".to_owned()),
            ("VIDP_KEY_SECRET", "a secret that only the tests use".to_owned()),
            ("VIDP_ADMIN_KEY", Guarded::ADMIN_KEY.to_owned()),
        ];
        Guarded {
            rig: Rig::with(&[&keys, more].concat()).await,
        }
    }

    /// Sends a request with the operator's key.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/{path}", self.rig.url);
        let mut request = self.rig.http.request(method.parse().unwrap(), url);
        request = request.bearer_auth(Guarded::ADMIN_KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    /// Creates a key, and returns its text.
    pub(crate) async fn key(&self, tenant: &str, scopes: &[&str]) -> String {
        let body = json!({ "name": "test", "tenant": tenant, "scopes": scopes });
        let (status, made) = self.admin("POST", "keys", Some(&body)).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["key"].as_str().unwrap().to_owned()
    }
}
