//! Storing the change that makes a stage due is the claim to publish its task: each task is published once.

use crate::harness::{Rig, french};
use futures_util::StreamExt;
use serde_json::json;
use std::collections::HashMap;
use vidp_contract::{Lane, Outcome, Stage, Success, streams};

const JOBS: usize = 20;

/// A worker of one stage, fast enough that its messages arrive while the API still publishes and marks the task.
async fn work(rig: &Rig, stage: Stage) {
    for _ in 0..JOBS {
        let pulled = rig.pull(stage).await;
        rig.queue.progress(&pulled.progress(0.5)).await.unwrap();
        let report = if stage == Stage::Detect {
            french()
        } else {
            json!({})
        };
        let success = Success {
            outputs: Vec::new(),
            report: report.as_object().unwrap().clone(),
        };
        rig.answer(&pulled, Outcome::Succeeded(success)).await;
    }
}

#[tokio::test]
async fn each_task_is_published_once() {
    let mut rig = Rig::new().await;
    // A plain subscription sees every publish, those that the stream refuses as well.
    let client = rig.queue.client().clone();
    let mut seen = Vec::new();
    for stage in Stage::ALL {
        let subjects = streams::lane_subjects(stage, Lane::Interactive);
        seen.push(client.subscribe(subjects).await.unwrap());
    }
    client.flush().await.unwrap();

    let options = json!({ "stages": Stage::ALL });
    let submit = async { futures_util::future::join_all((0..JOBS).map(|_| rig.submit(&options))).await };
    let (jobs, ..) = tokio::join!(
        submit,
        work(&rig, Stage::Detect),
        work(&rig, Stage::Scale),
        work(&rig, Stage::Subtitle)
    );
    for job in &jobs {
        let id = job["id"].as_str().unwrap();
        rig.until_job(id, |job| job["status"] == "succeeded").await;
    }
    for stage in Stage::ALL {
        let republished = format!("vidp_tasks_republished_total{{stage=\"{stage}\"}}");
        assert_eq!(rig.metric(&republished).await, Some(0.0), "{stage}");
    }

    // The API ends its open work before it exits: after that nothing more is published.
    assert_eq!(rig.stop_api(), Some(0));
    client.flush().await.unwrap();
    let mut published: HashMap<String, usize> = HashMap::new();
    for mut subscription in seen {
        subscription.unsubscribe().await.unwrap();
        while let Some(message) = subscription.next().await {
            *published.entry(message.subject.to_string()).or_default() += 1;
        }
    }
    let tasks = JOBS * Stage::ALL.len();
    assert_eq!(published.len(), tasks);
    published.retain(|_, times| *times != 1);
    assert!(published.is_empty(), "published more than once: {published:?}");
    let context = async_nats::jetstream::new(client);
    let mut stream = context.get_stream(streams::TASKS).await.unwrap();
    let state = stream.info().await.unwrap().state.clone();
    assert_eq!((state.last_sequence, state.messages), (tasks as u64, 0));
}
