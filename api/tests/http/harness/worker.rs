//! The worker's side of the queue, played by the tests.

use super::{LIMIT, Rig};
use async_nats::jetstream::AckKind;
use futures_util::StreamExt;
use serde_json::{Value, json};
use uuid::Uuid;
use vidp_contract::{
    Codec, Lane, Outcome, Output, OutputFile, Progress, Stage, SubtitleFormat, Success, Task, TaskResult,
    Timings, TraceParent, keys,
};

impl Rig {
    /// Pulls the next task of a stage, as a worker does.
    pub(crate) async fn pull(&self, stage: Stage) -> Pulled {
        self.pull_from(stage, Lane::Interactive).await
    }

    pub(crate) async fn pull_from(&self, stage: Stage, lane: Lane) -> Pulled {
        let pulled = self.try_pull(stage, lane).await;
        pulled.expect("a task within the limit")
    }

    /// Pulls the next task, or returns `None` after [`LIMIT`].
    pub(crate) async fn try_pull(&self, stage: Stage, lane: Lane) -> Option<Pulled> {
        let consumer = self.queue.lane_consumer(stage, lane).await.unwrap();
        let mut batch = consumer
            .batch()
            .max_messages(1)
            .expires(LIMIT)
            .messages()
            .await
            .unwrap();
        let message = batch.next().await?.unwrap();
        let task = serde_json::from_slice(&message.payload).unwrap();
        Some(Pulled { task, message })
    }

    /// Publishes a result, as a worker does.
    pub(crate) async fn publish(&self, result: &TaskResult) {
        let trace = TraceParent::of_job(result.job_id);
        self.queue.publish_result(result, &trace).await.unwrap();
    }

    /// Stores an output of the task's stage, unless it is `detect`, and ends the task with success.
    pub(crate) async fn succeed(&self, pulled: &Pulled, report: Value) -> TaskResult {
        self.succeed_with(pulled, report, b"0123456789").await
    }

    /// Stores an output with these bytes, unless the stage is `detect`, and ends the task with success.
    pub(crate) async fn succeed_with(&self, pulled: &Pulled, report: Value, bytes: &[u8]) -> TaskResult {
        let file = match pulled.task.work.stage() {
            Stage::Detect => None,
            Stage::Scale => Some(OutputFile::rendition(720, Codec::H264)),
            Stage::Subtitle => Some(OutputFile::subtitle(SubtitleFormat::Srt)),
        };
        let mut outputs = Vec::new();
        if let Some(file) = file {
            outputs.push(self.output(pulled, &file, bytes).await);
        }
        let report = report.as_object().unwrap().clone();
        self.answer(pulled, Outcome::Succeeded(Success { outputs, report }))
            .await
    }

    /// Stores an output of the task.
    pub(crate) async fn output(&self, pulled: &Pulled, file: &OutputFile, bytes: &[u8]) -> Output {
        self.output_of(pulled, Uuid::now_v7(), file, bytes).await
    }

    /// Stores an output of one attempt of the task.
    pub(crate) async fn output_of(
        &self,
        pulled: &Pulled,
        attempt: Uuid,
        file: &OutputFile,
        bytes: &[u8],
    ) -> Output {
        let key = keys::output(&pulled.task.output_prefix, attempt, &file.name);
        let path = self.folder.path().join("output");
        std::fs::write(&path, bytes).unwrap();
        let stored = self.store.upload(&key, &path, file.content_type).await.unwrap();
        Output {
            name: file.name.to_string(),
            key,
            size: stored.size,
            sha256: stored.sha256,
            content_type: file.content_type.to_owned(),
        }
    }

    /// Ends the task: publishes its result, and acknowledges it.
    pub(crate) async fn answer(&self, pulled: &Pulled, outcome: Outcome) -> TaskResult {
        let result = pulled.result(outcome);
        self.publish(&result).await;
        pulled.message.ack_with(AckKind::Ack).await.unwrap();
        result
    }
}

pub(crate) struct Pulled {
    pub(crate) task: Task,
    pub(crate) message: async_nats::jetstream::Message,
}

impl Pulled {
    pub(crate) fn result(&self, outcome: Outcome) -> TaskResult {
        TaskResult {
            task_id: self.task.task_id,
            job_id: self.task.job_id,
            stage: self.task.work.stage(),
            attempt: 1,
            outcome,
            timings: Timings::default(),
            worker: "test".to_owned(),
        }
    }

    pub(crate) fn progress(&self, share: f64) -> Progress {
        Progress {
            task_id: self.task.task_id,
            job_id: self.task.job_id,
            stage: self.task.work.stage(),
            attempt: 1,
            progress: share,
            phase: "work".to_owned(),
            speed: Some(2.0),
            parts: None,
            stream: None,
            worker: "test".to_owned(),
        }
    }
}

/// A report of `detect` that found French.
pub(crate) fn french() -> Value {
    json!({
        "language": { "code": "fr", "name": "French" }, "confidence": 0.97,
        "probabilities": [{ "code": "fr", "probability": 0.97 }], "windows": [], "bytes_read": 10
    })
}
