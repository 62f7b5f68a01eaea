use super::{
    failure::{Failure, require_success},
    job::{Job, job_path},
};
use anyhow::{Context, Result, ensure};
use reqwest::{RequestBuilder, Response, header};
use serde_json::Value;
use std::time::Duration;

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to one server.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    server: String,
}

impl Client {
    /// Makes a client for `server`, for example `http://127.0.0.1:8000`, with an API key where the server requires one.
    pub fn new(server: &str, api_key: Option<&str>) -> Result<Client> {
        let mut headers = header::HeaderMap::new();
        if let Some(key) = api_key {
            let mut value = header::HeaderValue::from_str(&format!("Bearer {key}"))
                .context("the API key contains characters that are not allowed in an HTTP header")?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .default_headers(headers)
            .build()?;
        let server = server.trim_end_matches('/').to_owned();
        let is_url = ["http://", "https://"]
            .iter()
            .any(|scheme| server.starts_with(scheme));
        ensure!(
            is_url,
            "a server address begins with http:// or https://, but this one is {server:?}"
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

    /// Fails when the server does not answer at all; any HTTP status counts as an answer.
    ///
    /// Commands call it before they send files.
    pub async fn check_reachable(&self) -> Result<()> {
        let request = self.http.get(self.url("/api/v1/processing/health"));
        self.answer(request).await?;
        Ok(())
    }

    /// Reads the current state of a job.
    pub async fn job(&self, id: &str) -> Result<Job> {
        Job::parse(self.get(&job_path(id)?).await?.json().await?)
    }

    /// Sends a GET and returns the response.
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.send(self.http.get(self.url(path))).await
    }

    /// Sends a GET and returns the body as text.
    pub async fn text(&self, path: &str) -> Result<String> {
        Ok(self.get(path).await?.text().await?)
    }

    /// Reads one page of a list, and the cursor of the next page.
    pub async fn page(&self, path: &str, query: &[(&str, String)]) -> Result<(Vec<Value>, Option<String>)> {
        let request = self.http.get(self.url(path)).query(query);
        let mut page: Value = self.send(request).await?.json().await?;
        let next = page["next_cursor"].as_str().map(str::to_owned);
        match page["data"].take() {
            Value::Array(data) => Ok((data, next)),
            _ => anyhow::bail!("the server's answer is not a list"),
        }
    }

    /// Calls `each` for the items of a list, page by page, for at most `limit` items.
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

    /// Sends a POST with a JSON body and returns the JSON answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.send(self.http.post(self.url(path)).json(body)).await?;
        Ok(answer.json().await?)
    }

    /// Sends a POST without a body, for actions such as `cancel` and `retry`, and returns the JSON answer.
    pub async fn act(&self, path: &str) -> Result<Value> {
        Ok(self.send(self.http.post(self.url(path))).await?.json().await?)
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.send(self.http.delete(self.url(path))).await.map(drop)
    }

    /// Sends a request; a status other than 2xx is an error.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        require_success(self.answer(request).await?).await
    }

    /// Sends a request and returns the answer with any status.
    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|cause| self.no_answer(cause))
    }

    /// The error of a request that got no answer, or only a part of one.
    pub(super) fn no_answer(&self, cause: reqwest::Error) -> Failure {
        Failure::NoAnswer {
            server: self.server.clone(),
            cause,
        }
    }
}
