use super::{connection::Client, job::Job};
use anyhow::Result;
use serde_json::{Value, json};

/// Header of draft-ietf-httpapi-idempotency-key-header; its value is a quoted string of structured fields.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl Client {
    /// Creates a job from a source that the server fetches. Requests with the same idempotency key create one job.
    pub async fn create_from_source(&self, source: &Value, options: &Value, key: &str) -> Result<Job> {
        let body = json!({ "source": source, "options": options });
        let request = self.http.post(self.url("/api/v1/jobs")).json(&body);
        let request = request.header(IDEMPOTENCY_KEY, format!("\"{key}\""));
        Job::parse(self.send(request).await?.json().await?)
    }
}
