//! Prometheus metrics of the API. The names of the pipeline's metrics are in `vidp_pipeline::metrics`.

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
use vidp_common::{
    metrics::Handle,
    queue::{Load, ProblemKind, QueueMetrics, StreamMetrics},
};
use vidp_contract::{Lane, Stage, streams};
use vidp_record::db::Ages;

const DEPTH: &str = "vidp_queue_depth";
const OLDEST_WAITING: &str = "vidp_oldest_waiting_seconds";
const OLDEST_JOB: &str = "vidp_oldest_job_seconds";
const STRANDED: &str = "vidp_stranded_messages";
const DEAD: &str = "vidp_dead_messages";
const STREAM_BYTES: &str = "vidp_stream_bytes";
const STREAM_LIMIT: &str = "vidp_stream_limit_bytes";
const PROBLEM: &str = "vidp_queue_problem";
const BROKER_UP: &str = "vidp_broker_up";
const MONGODB_UP: &str = "vidp_mongodb_up";
const UPLOADS: &str = "vidp_uploads_total";
const UPLOAD_BYTES: &str = "vidp_upload_bytes_total";
const UPLOAD_SECONDS: &str = "vidp_upload_seconds";
const REQUESTS: &str = "vidp_http_requests_total";
const REQUEST_SECONDS: &str = "vidp_http_request_seconds";

/// Seconds, from a status poll to a long poll.
const REQUEST_BUCKETS: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Seconds, from a clip on a fast connection to a film on a slow one.
const UPLOAD_BUCKETS: [f64; 8] = [0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1200.0, 3600.0];

/// The outcome of an upload; a label of `vidp_uploads_total`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Upload {
    /// The upload became a job.
    Accepted,
    /// An earlier request with the same idempotency key had already made the job.
    Replayed,
    /// The upload was answered with an error.
    Refused,
    /// The client closed the connection.
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

/// Installs the recorder, describes the metrics and creates the counters at zero.
///
/// # Errors
/// A recorder is already installed.
pub(crate) fn install() -> Result<Handle> {
    let handle = vidp_common::metrics::install(&[
        (REQUEST_SECONDS, &REQUEST_BUCKETS),
        (UPLOAD_SECONDS, &UPLOAD_BUCKETS),
    ])?;
    describe_gauge!(DEPTH, "Tasks waiting or running in a lane of a stage");
    describe_gauge!(OLDEST_WAITING, "Seconds that the oldest queued stage has waited");
    describe_gauge!(OLDEST_JOB, "Seconds since the oldest open job was created");
    describe_gauge!(STRANDED, "Tasks in the stream that no consumer will deliver");
    describe_gauge!(DEAD, "Messages in the dead stream");
    describe_gauge!(STREAM_BYTES, "Bytes stored in a stream");
    describe_gauge!(STREAM_LIMIT, "Maximum bytes of a stream");
    describe_gauge!(
        PROBLEM,
        "1 while this stream or consumer is missing, paused or changed by hand, otherwise 0"
    );
    describe_gauge!(
        BROKER_UP,
        "1 when the broker answered this scrape; otherwise its metrics are NaN"
    );
    describe_gauge!(
        MONGODB_UP,
        "1 when MongoDB answered this scrape; otherwise its metrics are NaN"
    );
    describe_counter!(UPLOADS, "Uploads ended, by outcome");
    describe_counter!(UPLOAD_BYTES, "Bytes of uploads that became a job");
    describe_histogram!(UPLOAD_SECONDS, "Duration in seconds of uploads that became a job");
    describe_counter!(REQUESTS, "HTTP requests answered, by route");
    describe_histogram!(REQUEST_SECONDS, "Seconds until the response headers, by route");
    for outcome in Upload::ALL {
        counter!(UPLOADS, "outcome" => outcome.as_str()).absolute(0);
    }
    counter!(UPLOAD_BYTES).absolute(0);
    vidp_pipeline::metrics::describe();
    Ok(handle)
}

/// Sets the broker's metrics. Without an answer they become NaN, because the old values would be misleading; so do those of a
/// missing stream or consumer.
pub(crate) fn broker(queue: Option<&QueueMetrics>) {
    gauge!(BROKER_UP).set(up(queue.is_some()));
    let number = |read: &dyn Fn(&QueueMetrics) -> f64| queue.map_or(f64::NAN, read);
    for stage in Stage::ALL {
        for lane in Lane::ALL {
            gauge!(DEPTH, "stage" => stage.as_str(), "lane" => lane.as_str()).set(number(&|queue| {
                queue
                    .loads
                    .get(&(stage, lane))
                    .map_or(f64::NAN, |load| Load::depth(load) as f64)
            }));
        }
    }
    gauge!(DEPTH, "stage" => streams::PARTS_STAGE.as_str(), "lane" => "parts").set(number(&|queue| {
        queue.parts.as_ref().map_or(f64::NAN, |load| load.depth() as f64)
    }));
    let size = |name: &str, read: &dyn Fn(&StreamMetrics) -> f64| {
        number(&|queue| queue.streams.get(name).map_or(f64::NAN, read))
    };
    for stream in streams::ALL {
        gauge!(STREAM_BYTES, "stream" => stream).set(size(stream, &|stream| stream.bytes as f64));
        gauge!(STREAM_LIMIT, "stream" => stream).set(size(stream, &|stream| stream.max_bytes as f64));
    }
    let lanes = Stage::ALL
        .into_iter()
        .flat_map(|stage| Lane::ALL.map(|lane| streams::consumer(stage, lane)));
    let others = streams::ALL
        .into_iter()
        .chain([streams::API_CONSUMER, streams::PARTS_CONSUMER]);
    for object in lanes.chain(others.map(str::to_owned)) {
        for kind in ProblemKind::ALL {
            let has = |queue: &QueueMetrics| {
                let mut problems = queue.problems.iter();
                up(problems.any(|problem| problem.object == object && problem.kind == kind))
            };
            gauge!(PROBLEM, "object" => object.clone(), "problem" => kind.as_str()).set(number(&has));
        }
    }
    gauge!(STRANDED).set(number(&|queue| queue.stranded() as f64));
    gauge!(DEAD).set(size(streams::DEAD, &|stream| stream.messages as f64));
}

/// Sets the metrics of the record, in seconds: 0 when no job waits, and NaN when MongoDB does not answer.
pub(crate) fn record(ages: Option<&Ages>) {
    gauge!(MONGODB_UP).set(up(ages.is_some()));
    let seconds = |read: &dyn Fn(&Ages) -> Duration| ages.map_or(f64::NAN, |ages| read(ages).as_secs_f64());
    for stage in Stage::ALL {
        gauge!(OLDEST_WAITING, "stage" => stage.as_str()).set(seconds(&|ages| ages.waiting[&stage]));
    }
    gauge!(OLDEST_JOB).set(seconds(&|ages| ages.job));
}

fn up(up: bool) -> f64 {
    if up { 1.0 } else { 0.0 }
}

/// Counts one upload when it is dropped.
///
/// Without a call of another method the outcome is [`Upload::Broken`]: the handler is dropped when its client closes the
/// connection.
pub(crate) struct UploadWatch {
    started: Instant,
    outcome: Upload,
}

impl UploadWatch {
    /// Starts to measure.
    pub(crate) fn start() -> Self {
        UploadWatch {
            started: Instant::now(),
            outcome: Upload::Broken,
        }
    }

    /// The upload became a job with a source of `bytes`.
    pub(crate) fn accepted(&mut self, bytes: u64) {
        self.outcome = Upload::Accepted;
        counter!(UPLOAD_BYTES).increment(bytes);
        histogram!(UPLOAD_SECONDS).record(self.started.elapsed().as_secs_f64());
    }

    /// An earlier request with the same idempotency key had already made the job.
    pub(crate) fn replayed(&mut self) {
        self.outcome = Upload::Replayed;
    }

    /// The upload was answered with an error.
    pub(crate) fn refused(&mut self) {
        self.outcome = Upload::Refused;
    }
}

impl Drop for UploadWatch {
    fn drop(&mut self) {
        counter!(UPLOADS, "outcome" => self.outcome.as_str()).increment(1);
    }
}

/// Middleware that counts and measures every response by its route. Paths contain ids, so they are not used as labels.
pub(crate) async fn observe(request: Request, next: Next) -> Response<Body> {
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

/// Returns the label of a method. A client may send any word as its method, and each label would be a new time series.
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
