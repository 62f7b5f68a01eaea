//! The HTTP API, as a client sees it.

use anyhow::{Context, Result};
use reqwest::{Response, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

const CONNECT: Duration = Duration::from_secs(10);
/// How long one poll waits for a change, in seconds.
const WAIT: u64 = 20;
/// How long an API that does not answer is tried again: it may be restarting.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// A refusal by the API, as it explains it.
#[derive(Debug, thiserror::Error)]
#[error("{detail} ({code})")]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable name of the problem.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

/// A job: what the command line reads of it, and the whole document.
#[derive(Deserialize)]
pub struct Job {
    pub id: String,
    pub status: String,
    pub stages: BTreeMap<String, Stage>,
    pub source: Source,
    #[serde(skip)]
    pub document: Value,
}

#[derive(Deserialize)]
pub struct Stage {
    pub status: String,
    pub progress: Option<f64>,
    pub phase: Option<String>,
    pub speed: Option<f64>,
    pub error: Option<Problem>,
    #[serde(default)]
    pub result: Value,
    #[serde(default)]
    pub outputs: Vec<Output>,
}

#[derive(Deserialize)]
pub struct Problem {
    pub code: String,
    pub detail: Option<String>,
}

#[derive(Deserialize)]
pub struct Source {
    pub filename: Option<String>,
}

#[derive(Deserialize)]
pub struct Output {
    pub name: String,
    pub size: u64,
    pub sha256: String,
    /// Absolute path on the server.
    pub url: String,
}

impl Job {
    fn parse(document: Value) -> Result<Job> {
        let job = Job::deserialize(&document).context("the server's answer is not a job")?;
        Ok(Job { document, ..job })
    }

    /// Whether nothing will change any more.
    pub fn is_over(&self) -> bool {
        matches!(
            self.status.as_str(),
            "succeeded" | "partial" | "failed" | "cancelled"
        )
    }
}

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

    /// Makes a job from a form with the parts `options` and `file`.
    pub async fn create(&self, form: reqwest::multipart::Form) -> Result<Job> {
        let request = self.http.post(self.url("/api/v1/jobs")).multipart(form);
        Job::parse(self.send(request).await?.json().await?)
    }

    /// A job as it is now.
    pub async fn job(&self, id: &str) -> Result<Job> {
        Job::parse(self.get(&job_path(id)?).await?.json().await?)
    }

    /// The answer to a GET.
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.send(self.http.get(self.url(path))).await
    }

    /// The answer to a GET with a query.
    pub async fn get_with(&self, path: &str, query: &[(&str, String)]) -> Result<Response> {
        self.send(self.http.get(self.url(path)).query(query)).await
    }

    /// What a POST of this JSON is answered.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.send(self.http.post(self.url(path)).json(body)).await?;
        Ok(answer.json().await?)
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.send(self.http.delete(self.url(path))).await.map(drop)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response> {
        let sent = request.send().await;
        accepted(sent.with_context(|| self.unreachable())?).await
    }

    /// Follows a job until it is over, and calls `seen` at every change.
    pub async fn follow(&self, id: &str, mut seen: impl FnMut(&Job)) -> Result<Job> {
        let path = job_path(id)?;
        let mut etag = None;
        let mut failing_since = None;
        loop {
            match self.poll(&path, &mut etag).await {
                Ok(Some(job)) => {
                    seen(&job);
                    if job.is_over() {
                        return Ok(job);
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let since = *failing_since.get_or_insert_with(std::time::Instant::now);
                    if !may_pass(&error) || since.elapsed() > PATIENCE {
                        return Err(error);
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            }
            failing_since = None;
        }
    }

    /// The job once it is not `etag` any more; `None` when it did not change.
    async fn poll(&self, path: &str, etag: &mut Option<header::HeaderValue>) -> Result<Option<Job>> {
        let mut request = self
            .http
            .get(self.url(path))
            .query(&[("wait", WAIT)])
            .timeout(Duration::from_secs(WAIT) + CONNECT);
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag.clone());
        }
        let answer = request.send().await.with_context(|| self.unreachable())?;
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let answer = accepted(answer).await?;
        *etag = answer.headers().get(header::ETAG).cloned();
        Ok(Some(Job::parse(answer.json().await?)?))
    }

    fn unreachable(&self) -> String {
        format!("no answer from {} (is it up? `vidp up` starts it)", self.server)
    }
}

/// The path of a job; the id comes from the command line.
fn job_path(id: &str) -> Result<String> {
    let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    anyhow::ensure!(plain, "{id:?} is not a job's id");
    Ok(format!("/api/v1/jobs/{id}"))
}

/// Whether trying again can help: no answer, or one that says so.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) => refusal.status.is_server_error() || refusal.status == StatusCode::TOO_MANY_REQUESTS,
        None => error.chain().any(|cause| cause.is::<reqwest::Error>()),
    }
}

/// The answer, or the problem that it describes.
async fn accepted(answer: Response) -> Result<Response> {
    #[derive(Deserialize)]
    struct Body {
        code: String,
        detail: Option<String>,
        title: Option<String>,
    }
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    let refusal = match serde_json::from_str::<Body>(&text) {
        Ok(body) => Refusal {
            status,
            code: body.code,
            detail: body.detail.or(body.title).unwrap_or_else(|| status.to_string()),
        },
        Err(_) => Refusal {
            status,
            code: status.as_u16().to_string(),
            detail: "the server refused, and did not say why".to_owned(),
        },
    };
    Err(refusal.into())
}
