//! The HTTP API, as a client sees it.

mod events;
mod failure;
mod follow;
mod job;
mod resumable;
mod upload;

use anyhow::{Context, Result, ensure};
use reqwest::{RequestBuilder, Response, header};
use serde_json::Value;
use std::time::Duration;

pub use events::Event;
pub use failure::Failure;
pub use job::{Job, Output, Stage, path as job_path, plain};
pub use upload::{Patience, content_type};

const CONNECT: Duration = Duration::from_secs(10);

/// A connection to one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    server: String,
}

impl Client {
    /// For the server at `server`, for example `http://127.0.0.1:8000`; with an API key where one is needed.
    pub fn new(server: &str, api_key: Option<&str>) -> Result<Client> {
        let mut headers = header::HeaderMap::new();
        if let Some(key) = api_key {
            let mut value = header::HeaderValue::from_str(&format!("Bearer {key}"))
                .context("the API key has characters that no key has")?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .default_headers(headers)
            .build()?;
        let server = server.trim_end_matches('/').to_owned();
        let is_url = ["http://", "https://"]
            .iter()
            .any(|scheme| server.starts_with(scheme));
        ensure!(
            is_url,
            "a server's address begins with http:// or https://, and this is {server:?}"
        );
        Ok(Client { http, server })
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The address of a path on the server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    /// Whether the server answers, whatever it says: before much is sent to it.
    pub async fn reach(&self) -> Result<()> {
        let request = self.http.get(self.url("/api/v1/processing/health"));
        self.answer(request).await?;
        Ok(())
    }

    /// A job as it is now.
    pub async fn job(&self, id: &str) -> Result<Job> {
        Job::parse(self.get(&job_path(id)?).await?.json().await?)
    }

    /// The answer to a GET.
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.send(self.http.get(self.url(path))).await
    }

    /// A page of a list, and the cursor of the next one.
    pub async fn page(&self, path: &str, query: &[(&str, String)]) -> Result<(Vec<Value>, Option<String>)> {
        let request = self.http.get(self.url(path)).query(query);
        let mut page: Value = self.send(request).await?.json().await?;
        let next = page["next_cursor"].as_str().map(str::to_owned);
        match page["data"].take() {
            Value::Array(data) => Ok((data, next)),
            _ => anyhow::bail!("the server's answer is not a list"),
        }
    }

    /// Calls `each` for the items of a list, page by page, `limit` at most.
    pub async fn list(
        &self,
        path: &str,
        mut query: Vec<(&str, String)>,
        limit: usize,
        mut each: impl FnMut(Value) -> Result<()>,
    ) -> Result<()> {
        let mut left = limit;
        while left > 0 {
            let (data, next) = self.page(path, &query).await?;
            for item in data.into_iter().take(left) {
                left -= 1;
                each(item)?;
            }
            let Some(cursor) = next else { break };
            query.retain(|(name, _)| *name != "cursor");
            query.push(("cursor", cursor));
        }
        Ok(())
    }

    /// What a POST of this JSON is answered.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.send(self.http.post(self.url(path)).json(body)).await?;
        Ok(answer.json().await?)
    }

    /// What a POST of nothing is answered: `cancel`, `retry` and the like.
    pub async fn act(&self, path: &str) -> Result<Value> {
        Ok(self.send(self.http.post(self.url(path))).await?.json().await?)
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.send(self.http.delete(self.url(path))).await.map(drop)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        failure::accepted(self.answer(request).await?).await
    }

    /// The answer, whatever it says.
    async fn answer(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|cause| Failure::NoAnswer {
            server: self.server.clone(),
            cause,
        })
    }
}
