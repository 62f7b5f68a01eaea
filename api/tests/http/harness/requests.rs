//! Requests to the API that many tests send.

use super::{Rig, until};
use reqwest::{Response, StatusCode, multipart};
use serde_json::Value;

impl Rig {
    pub(crate) fn jobs_url(&self) -> String {
        format!("{}/api/v1/jobs", self.url)
    }

    pub(crate) async fn post_form(&self, options: &Value, bytes: Vec<u8>) -> Response {
        let file = multipart::Part::bytes(bytes)
            .file_name("clip.mp4")
            .mime_str("video/mp4")
            .unwrap();
        let form = multipart::Form::new()
            .text("options", options.to_string())
            .part("file", file);
        self.http
            .post(self.jobs_url())
            .multipart(form)
            .send()
            .await
            .unwrap()
    }

    /// Uploads a small file, and returns the job.
    pub(crate) async fn submit(&self, options: &Value) -> Value {
        let answer = self.post_form(options, b"some bytes".to_vec()).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        answer.json().await.unwrap()
    }

    /// The first page of the jobs for a query such as `?status=failed`.
    pub(crate) async fn list(&self, query: &str) -> Vec<Value> {
        let answer = self
            .http
            .get(format!("{}{query}", self.jobs_url()))
            .send()
            .await
            .unwrap();
        answer.json::<Value>().await.unwrap()["data"]
            .as_array()
            .unwrap()
            .clone()
    }

    pub(crate) async fn job(&self, id: &str) -> Value {
        let answer = self
            .http
            .get(format!("{}/{id}", self.jobs_url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    pub(crate) async fn until_job(&self, id: &str, condition: impl Fn(&Value) -> bool) -> Value {
        until(async || condition(&self.job(id).await)).await;
        self.job(id).await
    }

    pub(crate) async fn post(&self, id: &str, action: &str) -> Response {
        self.http
            .post(format!("{}/{id}/{action}", self.jobs_url()))
            .send()
            .await
            .unwrap()
    }

    /// The value of a metric, by its complete name with labels.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let url = format!("{}/metrics", self.probes);
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.parse().ok()
    }
}
