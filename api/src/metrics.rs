//! The API's figures for Prometheus. Every name is declared here.

use anyhow::Result;
use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::Response,
};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::{Duration, Instant};
use vidp_common::{metrics::Handle, queue::QueueMetrics};
use vidp_contract::{Lane, Stage, streams};
use vidp_record::db::Ages;

const DEPTH: &str = "vidp_queue_depth";
const OLDEST_WAITING: &str = "vidp_oldest_waiting_seconds";
const OLDEST_JOB: &str = "vidp_oldest_job_seconds";
const STRANDED: &str = "vidp_stranded_messages";
const DEAD: &str = "vidp_dead_messages";
const STREAM_BYTES: &str = "vidp_stream_bytes";
const STREAM_LIMIT: &str = "vidp_stream_limit_bytes";
const BROKER_UP: &str = "vidp_broker_up";
const MONGODB_UP: &str = "vidp_mongodb_up";
const UPLOADS: &str = "vidp_uploads_total";
const UPLOAD_BYTES: &str = "vidp_upload_bytes_total";
const UPLOAD_SECONDS: &str = "vidp_upload_seconds";
const REQUESTS: &str = "vidp_http_requests_total";
const REQUEST_SECONDS: &str = "vidp_http_request_seconds";

/// From a status poll to a long poll.
const REQUEST_BUCKETS: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// From a clip on a fast line to a film on a slow one.
const UPLOAD_BUCKETS: [f64; 8] = [0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1200.0, 3600.0];

/// What became of an upload.
#[derive(Clone, Copy, Debug)]
pub enum Upload {
    /// It is a job now.
    Accepted,
    /// It had been made a job before, by a request with the same idempotency key.
    Replayed,
    /// It was answered with an error.
    Refused,
    /// Its client hung up.
    Broken,
}

impl Upload {
    const ALL: [Upload; 4] = [
        Upload::Accepted,
        Upload::Replayed,
        Upload::Refused,
        Upload::Broken,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Upload::Accepted => "accepted",
            Upload::Replayed => "replayed",
            Upload::Refused => "refused",
            Upload::Broken => "broken",
        }
    }
}

/// Makes the recorder, describes the figures and creates the counters at zero.
pub fn install() -> Result<Handle> {
    let handle = vidp_common::metrics::install(&[
        (REQUEST_SECONDS, &REQUEST_BUCKETS),
        (UPLOAD_SECONDS, &UPLOAD_BUCKETS),
    ])?;
    describe_gauge!(DEPTH, "Tasks waiting or running in a lane of a stage");
    describe_gauge!(
        OLDEST_WAITING,
        "Seconds that the oldest queued stage has been waiting"
    );
    describe_gauge!(
        OLDEST_JOB,
        "Seconds since the oldest job that has not ended was created"
    );
    describe_gauge!(STRANDED, "Tasks in the stream that no consumer will deliver");
    describe_gauge!(DEAD, "Messages in the dead stream");
    describe_gauge!(STREAM_BYTES, "Bytes stored in a stream");
    describe_gauge!(STREAM_LIMIT, "Most bytes that a stream takes");
    describe_gauge!(
        BROKER_UP,
        "1 when the broker answered this scrape; its figures are NaN otherwise"
    );
    describe_gauge!(
        MONGODB_UP,
        "1 when MongoDB answered this scrape; its figures are NaN otherwise"
    );
    describe_counter!(UPLOADS, "Uploads ended, by outcome");
    describe_counter!(UPLOAD_BYTES, "Bytes of uploads that became a job");
    describe_histogram!(UPLOAD_SECONDS, "Seconds that uploads took that became a job");
    describe_counter!(REQUESTS, "HTTP requests answered, by route");
    describe_histogram!(REQUEST_SECONDS, "Seconds until the head of the answer, by route");
    for outcome in Upload::ALL {
        counter!(UPLOADS, "outcome" => outcome.as_str()).absolute(0);
    }
    counter!(UPLOAD_BYTES).absolute(0);
    vidp_pipeline::metrics::describe();
    Ok(handle)
}

/// Sets what the broker said. Without an answer its figures are not numbers, rather than old ones.
pub fn broker(figures: Option<&QueueMetrics>) {
    gauge!(BROKER_UP).set(up(figures.is_some()));
    let number = |of: &dyn Fn(&QueueMetrics) -> f64| figures.map_or(f64::NAN, of);
    for stage in Stage::ALL {
        for lane in Lane::ALL {
            gauge!(DEPTH, "stage" => stage.as_str(), "lane" => lane.as_str())
                .set(number(&|figures| figures.depth[&(stage, lane)] as f64));
        }
    }
    for stream in streams::ALL {
        gauge!(STREAM_BYTES, "stream" => stream).set(number(&|figures| figures.streams[stream].bytes as f64));
        gauge!(STREAM_LIMIT, "stream" => stream)
            .set(number(&|figures| figures.streams[stream].max_bytes as f64));
    }
    gauge!(STRANDED).set(number(&|figures| figures.stranded() as f64));
    gauge!(DEAD).set(number(&|figures| figures.streams[streams::DEAD].messages as f64));
}

/// Sets what the record said, in seconds; 0 when nothing waits, not a number without an answer.
pub fn record(ages: Option<&Ages>) {
    gauge!(MONGODB_UP).set(up(ages.is_some()));
    let seconds = |of: &dyn Fn(&Ages) -> Duration| ages.map_or(f64::NAN, |ages| of(ages).as_secs_f64());
    for stage in Stage::ALL {
        gauge!(OLDEST_WAITING, "stage" => stage.as_str()).set(seconds(&|ages| ages.waiting[&stage]));
    }
    gauge!(OLDEST_JOB).set(seconds(&|ages| ages.job));
}

fn up(up: bool) -> f64 {
    if up { 1.0 } else { 0.0 }
}

/// Watches one upload. Unless told otherwise its client has hung up: the handler was dropped with it.
pub struct UploadWatch {
    started: Instant,
    outcome: Upload,
}

impl UploadWatch {
    /// Begins.
    pub fn start() -> Self {
        UploadWatch {
            started: Instant::now(),
            outcome: Upload::Broken,
        }
    }

    /// The upload became a job; `bytes` of its source.
    pub fn accepted(&mut self, bytes: u64) {
        self.outcome = Upload::Accepted;
        counter!(UPLOAD_BYTES).increment(bytes);
        histogram!(UPLOAD_SECONDS).record(self.started.elapsed().as_secs_f64());
    }

    /// An earlier request with the same idempotency key had made the job.
    pub fn replayed(&mut self) {
        self.outcome = Upload::Replayed;
    }

    /// The upload was answered with an error.
    pub fn refused(&mut self) {
        self.outcome = Upload::Refused;
    }
}

impl Drop for UploadWatch {
    fn drop(&mut self) {
        counter!(UPLOADS, "outcome" => self.outcome.as_str()).increment(1);
    }
}

/// Counts and times every answer by its route, never by its path, which has ids in it.
pub async fn observe(request: Request, next: Next) -> Response<Body> {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let (method, started) = (method(request.method()), Instant::now());
    let response = next.run(request).await;
    let (seconds, status) = (started.elapsed().as_secs_f64(), response.status().as_u16());
    counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    histogram!(REQUEST_SECONDS, "method" => method, "route" => route).record(seconds);
    response
}

/// A client may send any word as its method; each would be a series of its own, for ever.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
