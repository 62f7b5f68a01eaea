//! The API's figures for Prometheus. Every name is declared here.

use crate::{db::Ages, job::JobStatus, upload::Received};
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
const FETCHES: &str = "vidp_fetches_total";
const UPLOAD_BYTES: &str = "vidp_upload_bytes_total";
const UPLOAD_SECONDS: &str = "vidp_upload_seconds";
const REQUESTS: &str = "vidp_http_requests_total";
const REQUEST_SECONDS: &str = "vidp_http_request_seconds";
const REPAIRS: &str = "vidp_sweeper_repairs_total";
const JOBS: &str = "vidp_jobs_total";
const WEBHOOKS: &str = "vidp_webhook_attempts_total";
const DELETED_JOBS: &str = "vidp_deleted_jobs_total";
const DELETED_OBJECTS: &str = "vidp_deleted_objects_total";
const DELETED_BYTES: &str = "vidp_deleted_bytes_total";

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

/// What the sweeper put right, or cleared away.
#[derive(Clone, Copy, Debug)]
pub enum Repair {
    /// A task that stayed pending was published.
    Republished,
    /// A result that was missed was applied.
    ResultApplied,
    /// A stage passed its deadline.
    Expired,
    /// A task that was nowhere was published again.
    Lost,
    /// An upload without a sign of life was ended.
    UploadAbandoned,
    /// A job at the end of its time was deleted.
    Deleted,
    /// The objects of losing attempts were removed.
    Tidied,
    /// Webhooks were told of a job's end that nobody had told them of.
    Announced,
}

/// What became of a try to tell a webhook.
#[derive(Clone, Copy, Debug)]
pub enum Webhook {
    /// It has the message.
    Delivered,
    /// It will be tried again.
    Retried,
    /// It was given up.
    Failed,
}

impl Webhook {
    const ALL: [Webhook; 3] = [Webhook::Delivered, Webhook::Retried, Webhook::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Webhook::Delivered => "delivered",
            Webhook::Retried => "retried",
            Webhook::Failed => "failed",
        }
    }
}

/// How one try to fetch a source ended.
#[derive(Clone, Copy, Debug)]
pub enum FetchOutcome {
    /// It is there.
    Fetched,
    /// It is tried again.
    Again,
    /// It is given up.
    Failed,
}

impl FetchOutcome {
    const ALL: [FetchOutcome; 3] = [FetchOutcome::Fetched, FetchOutcome::Again, FetchOutcome::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            FetchOutcome::Fetched => "fetched",
            FetchOutcome::Again => "again",
            FetchOutcome::Failed => "failed",
        }
    }
}

/// A try to fetch a source has ended.
pub fn fetched(outcome: FetchOutcome) {
    counter!(FETCHES, "outcome" => outcome.as_str()).increment(1);
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

impl Repair {
    const ALL: [Repair; 8] = [
        Repair::Republished,
        Repair::ResultApplied,
        Repair::Expired,
        Repair::Lost,
        Repair::UploadAbandoned,
        Repair::Deleted,
        Repair::Tidied,
        Repair::Announced,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Repair::Republished => "republished",
            Repair::ResultApplied => "result_applied",
            Repair::Expired => "expired",
            Repair::Lost => "lost",
            Repair::UploadAbandoned => "upload_abandoned",
            Repair::Deleted => "deleted",
            Repair::Tidied => "tidied",
            Repair::Announced => "announced",
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
    describe_counter!(
        FETCHES,
        "Tries to fetch the source of a job by reference, by outcome"
    );
    describe_counter!(UPLOADS, "Uploads ended, by outcome");
    describe_counter!(UPLOAD_BYTES, "Bytes of uploads that became a job");
    describe_histogram!(UPLOAD_SECONDS, "Seconds that uploads took that became a job");
    describe_counter!(REQUESTS, "HTTP requests answered, by route");
    describe_histogram!(REQUEST_SECONDS, "Seconds until the head of the answer, by route");
    describe_counter!(REPAIRS, "What the sweeper put right or cleared away");
    describe_counter!(JOBS, "Jobs ended, by status");
    describe_counter!(WEBHOOKS, "Tries to tell a webhook of a job's end, by outcome");
    describe_counter!(
        DELETED_JOBS,
        "Jobs deleted, by a client or at the end of their time"
    );
    describe_counter!(
        DELETED_OBJECTS,
        "Objects deleted, of deleted jobs and of losing attempts"
    );
    describe_counter!(DELETED_BYTES, "Bytes of deleted objects");
    for outcome in Upload::ALL {
        counter!(UPLOADS, "outcome" => outcome.as_str()).absolute(0);
    }
    for outcome in FetchOutcome::ALL {
        counter!(FETCHES, "outcome" => outcome.as_str()).absolute(0);
    }
    for kind in Repair::ALL {
        counter!(REPAIRS, "kind" => kind.as_str()).absolute(0);
    }
    for outcome in Webhook::ALL {
        counter!(WEBHOOKS, "outcome" => outcome.as_str()).absolute(0);
    }
    for status in JobStatus::TERMINAL {
        counter!(JOBS, "status" => status.as_str()).absolute(0);
    }
    for name in [UPLOAD_BYTES, DELETED_JOBS, DELETED_OBJECTS, DELETED_BYTES] {
        counter!(name).absolute(0);
    }
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

/// The sweeper did something.
pub fn repaired(kind: Repair) {
    counter!(REPAIRS, "kind" => kind.as_str()).increment(1);
}

/// A job came to its end.
pub fn job_ended(status: JobStatus) {
    counter!(JOBS, "status" => status.as_str()).increment(1);
}

/// A webhook was tried.
pub fn webhook_tried(outcome: Webhook) {
    counter!(WEBHOOKS, "outcome" => outcome.as_str()).increment(1);
}

/// A job was deleted.
pub fn job_deleted() {
    counter!(DELETED_JOBS).increment(1);
}

/// Objects were deleted.
pub fn objects_deleted(objects: u64, bytes: u64) {
    counter!(DELETED_OBJECTS).increment(objects);
    counter!(DELETED_BYTES).increment(bytes);
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

    /// The upload was answered: with a job, or with an error.
    pub fn answered(&mut self, received: Option<&Received>) {
        self.outcome = match received {
            None => Upload::Refused,
            Some(received) if received.replayed => Upload::Replayed,
            Some(_) => Upload::Accepted,
        };
        let (Upload::Accepted, Some(received)) = (self.outcome, received) else {
            return;
        };
        counter!(UPLOAD_BYTES).increment(received.job.source.size.cast_unsigned());
        histogram!(UPLOAD_SECONDS).record(self.started.elapsed().as_secs_f64());
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
