//! Traces, logs and metrics of a running system.

use crate::{
    collector::{Collector, Span},
    media::sample,
    stack::{LIMIT, Stack, http, until, up},
};
use serde_json::{Value, json};
use std::{collections::HashSet, path::Path, process::Command, time::Duration};
use vidp_engines::{Daemon, find_engine, free_port};

/// Sends a signal to a service of the test's own system.
fn signal(pid: &Value, signal: i32) {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    // SAFETY: a plain system call; the process is one that the test's own system started.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

#[tokio::test]
async fn one_trace_and_one_set_of_log_lines_follow_a_job() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start().await;
    let mut command = up(&folder.path().join("data"), 0);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
        .env("OTEL_BSP_SCHEDULE_DELAY", "200")
        .env("VIDP_LOG", "json");
    let stack = Stack::start_as(&folder.path().join("data"), command);
    let job = stack.run(&sample("clip.mp4"), &json!({})).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let id = job["id"].as_str().unwrap();
    let named = |spans: &[Span], name: &str| spans.iter().filter(|span| span.name == name).count();
    until(Duration::from_secs(20), async || {
        let spans = collector.trace_of(id);
        named(&spans, "persist") == 3 && named(&spans, "task") == 3 && named(&spans, "upload") == 1
    })
    .await;
    let spans = collector.trace_of(id);
    check_one_tree(&spans);
    let services: HashSet<_> = spans.iter().map(|span| span.service.as_str()).collect();
    let all = ["vidp-api", "worker-detect", "worker-scale", "worker-subtitle"];
    assert_eq!(services, HashSet::from(all));
    for name in ["publish", "queue wait", "result"] {
        assert_eq!(named(&spans, name), 3, "{name}: {spans:#?}");
    }
    for worker in ["worker-scale", "worker-subtitle"] {
        for name in ["fetch", "process", "store"] {
            let found = spans
                .iter()
                .any(|span| span.service == worker && span.name == name);
            assert!(found, "{worker} {name}: {spans:#?}");
        }
    }
    let programs: HashSet<_> = spans
        .iter()
        .filter_map(|span| span.attributes.get("program"))
        .collect();
    for program in ["ffmpeg", "ffprobe", "whisper"] {
        assert!(programs.contains(&program.to_owned()), "{programs:?}");
    }
    let trace = spans[0].trace.clone();
    check_logs(&stack, id, &trace);
}

/// Checks that one span is the root, all others have a parent in the trace, and none begins before its parent.
fn check_one_tree(spans: &[Span]) {
    let roots: Vec<_> = spans.iter().filter(|span| span.parent.is_empty()).collect();
    assert!(roots.len() == 1 && roots[0].name == "upload", "{roots:#?}");
    for span in spans.iter().filter(|span| !span.parent.is_empty()) {
        let parent = spans.iter().find(|other| other.id == span.parent);
        let parent = parent.unwrap_or_else(|| panic!("without its parent: {span:#?}"));
        assert!(span.end >= span.start, "{span:#?}");
        // The queue wait begins when the broker stores the message, by the broker's clock.
        assert!(
            span.name == "queue wait" || span.start >= parent.start,
            "{span:#?}\n{parent:#?}"
        );
    }
}

/// Checks that every line is JSON without secrets, and that the job's lines have job, stage, attempt and trace id.
fn check_logs(stack: &Stack, job: &str, trace: &str) {
    for (service, stage) in [
        ("detect-1", "detect"),
        ("scale-1", "scale"),
        ("subtitle-1", "subtitle"),
    ] {
        let log = stack.service(service)["log"].as_str().unwrap().to_owned();
        let ended = lines(Path::new(&log))
            .into_iter()
            .find(|line| line["message"] == "the task ended" && line["job"] == job)
            .unwrap_or_else(|| panic!("{service} did not log the end of the job"));
        assert_eq!(
            (&ended["stage"], ended["attempt"].to_string(), &ended["trace_id"]),
            (&json!(stage), "1".to_owned(), &json!(trace)),
            "{ended}"
        );
    }
    let log = stack.service("api")["log"].as_str().unwrap().to_owned();
    let own: Vec<_> = lines(Path::new(&log))
        .into_iter()
        .filter(|line| line["job"] == job)
        .collect();
    let count = |message: &str| own.iter().filter(|line| line["message"] == message).count();
    assert_eq!((count("uploaded"), count("stage ended")), (1, 3), "{own:#?}");
    assert!(own.iter().all(|line| line["trace_id"] == trace), "{own:#?}");
}

fn lines(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    for secret in ["X-Amz-", "Signature", "secret", "password", "mongodb://"] {
        assert!(
            !text.to_lowercase().contains(&secret.to_lowercase()),
            "{secret} in {}",
            log.display()
        );
    }
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(read).collect()
}

#[tokio::test]
async fn prometheus_reads_the_queue_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Stack::start(&folder.path().join("data"));
    let (prometheus, url) = prometheus(folder.path(), &stack);
    let detect = stack.service("detect-1");
    signal(&detect["pid"], libc::SIGSTOP);
    for lane in ["interactive", "interactive", "batch", "interactive", "batch"] {
        let options = json!({ "stages": ["detect"], "lane": lane });
        stack.submit(&sample("clip.mp4"), "clip.mp4", &options).await;
    }
    let depth = async |lane: &str| {
        query(
            &url,
            &format!("vidp_queue_depth{{stage=\"detect\",lane=\"{lane}\"}}"),
        )
        .await
    };
    until(Duration::from_secs(30), async || {
        depth("interactive").await == Some(3.0) && depth("batch").await == Some(2.0)
    })
    .await;
    assert_eq!(
        query(&url, "sum(vidp_queue_depth{stage!=\"detect\"})").await,
        Some(0.0)
    );
    assert_eq!(
        query(&url, "vidp_uploads_total{outcome=\"accepted\"}").await,
        Some(5.0)
    );
    until(Duration::from_secs(10), async || {
        query(&url, "vidp_oldest_waiting_seconds{stage=\"detect\"}").await > Some(1.0)
    })
    .await;

    signal(&detect["pid"], libc::SIGCONT);
    until(LIMIT, async || {
        depth("interactive").await == Some(0.0) && depth("batch").await == Some(0.0)
    })
    .await;
    until(Duration::from_secs(10), async || {
        query(&url, "vidp_jobs_total{status=\"succeeded\"}").await == Some(5.0)
            && query(&url, "vidp_tasks_total{stage=\"detect\",outcome=\"succeeded\"}").await == Some(5.0)
            && query(&url, "vidp_stranded_messages").await == Some(0.0)
    })
    .await;
    drop(prometheus);
}

/// A Prometheus that scrapes the API and the detect worker every second.
fn prometheus(folder: &Path, stack: &Stack) -> (Daemon, String) {
    let targets = ["api", "detect-1"].map(|name| {
        let service = stack.service(name);
        let url = service["metrics"].as_str().unwrap();
        let host = url
            .strip_prefix("http://")
            .and_then(|url| url.strip_suffix("/metrics"));
        host.unwrap().to_owned()
    });
    let config = json!({
        "global": { "scrape_interval": "1s" },
        "scrape_configs": [{ "job_name": "vidp", "static_configs": [{ "targets": targets }] }],
    });
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, config.to_string()).unwrap();
    let port = free_port();
    let mut command = Command::new(find_engine("prometheus").unwrap());
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let daemon = Daemon::spawn("prometheus", command, &folder.join("prometheus.log")).unwrap();
    (daemon, format!("http://127.0.0.1:{port}"))
}

/// The value of an expression; `None` while there is none.
async fn query(url: &str, expression: &str) -> Option<f64> {
    let url = format!("{url}/api/v1/query");
    let answer = http()
        .get(url)
        .query(&[("query", expression)])
        .send()
        .await
        .ok()?;
    let answer: Value = answer.json().await.ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}
