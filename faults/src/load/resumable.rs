//! Resumable uploads (tus 1.0) in two requests. After a failed request the client continues at the server's offset.
//!
//! The job counts as accepted once the server has all bytes.

use super::{Load, Rig};
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{Method, RequestBuilder, Response};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// Time without progress after which a client abandons the upload.
const STALL_LIMIT: Duration = Duration::from_secs(5);

impl Load {
    /// Uploads one file and returns the job's id if the server has all bytes.
    pub async fn upload_resumably(&self, rig: &Rig, sample: usize) -> Option<String> {
        let bytes = &rig.samples[sample].bytes;
        let options = BASE64_STANDARD.encode(rig.samples[sample].options.to_string());
        let metadata = format!("filename Y2xpcC5tcDQ=,options {options}");
        let request = ask(rig, Method::POST, "/files")
            .header("upload-length", bytes.len())
            .header("upload-metadata", metadata);
        let begun = self.answer(request).await.filter(|answer| answer.status() == 201);
        let location = begun.and_then(|answer| text(&answer, "location"));
        let Some(path) = location else {
            self.unanswered.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let (mut offset, mut reached) = (0, Instant::now());
        while offset < bytes.len() {
            // The first half leaves a partial block, which the server has to store until the second arrives.
            let end = if offset < bytes.len() / 2 {
                bytes.len() / 2
            } else {
                bytes.len()
            };
            let request = ask(rig, Method::PATCH, &path)
                .header("content-type", "application/offset+octet-stream")
                .header("upload-offset", offset)
                .body(bytes[offset..end].to_vec());
            let mut answer = self.answer(request).await.filter(|answer| answer.status() == 204);
            if answer.is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                answer = self.answer(ask(rig, Method::HEAD, &path)).await;
            }
            let now = answer.and_then(|answer| text(&answer, "upload-offset")?.parse().ok());
            match now {
                Some(now) if now > offset => (offset, reached) = (now, Instant::now()),
                _ if reached.elapsed() > STALL_LIMIT => {
                    self.unanswered.fetch_add(1, Ordering::Relaxed);
                    return None;
                }
                _ => {}
            }
        }
        let id = path.rsplit('/').next()?.to_owned();
        self.record_accepted(&id, sample);
        Some(id)
    }

    /// Sends a request; `None` when no answer arrived.
    async fn answer(&self, request: RequestBuilder) -> Option<Response> {
        match request.send().await {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.hung
                    .fetch_add(u32::from(error.is_timeout()), Ordering::Relaxed);
                None
            }
        }
    }
}

fn ask(rig: &Rig, method: Method, path: &str) -> RequestBuilder {
    let url = format!("{}{path}", rig.stack.url);
    rig.stack
        .http
        .request(method, url)
        .header("tus-resumable", "1.0.0")
}

fn text(answer: &Response, name: &str) -> Option<String> {
    Some(answer.headers().get(name)?.to_str().ok()?.to_owned())
}
