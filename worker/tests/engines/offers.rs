//! Offers of parts: other workers make them, and what becomes of an offer decides nothing about the task.

use crate::harness::{LIMIT, Rig, connect, report, until};
use async_nats::jetstream::AckKind;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};
use uuid::Uuid;
use vidp_common::queue::{Cancel, Queue};
use vidp_contract::{FailureCode, PartOffer, Task, TraceParent, keys, streams};
use vidp_worker::TaskError;

const PLAN: &str = "0123456789abcdef";

/// A task, and the connection of the worker that runs it.
async fn lead(rig: &Rig) -> (Task, Queue) {
    (rig.task().await, connect(&rig.config, "downscale").await)
}

async fn offer(queue: &Queue, task: &Task, number: u32) -> Option<u64> {
    let offer = PartOffer {
        task: task.clone(),
        plan: PLAN.to_owned(),
        number,
    };
    let trace = TraceParent::of_job(task.job_id);
    queue.offer_part(&offer, &trace).await.unwrap()
}

/// Waits until the offer has ended.
async fn ended(queue: &Queue, task: &Task, number: u32) {
    until(async || {
        queue
            .offered_part(task.task_id, PLAN, number)
            .await
            .unwrap()
            .is_none()
    })
    .await;
}

/// Receives an offer and gives it back, `times` times.
async fn give_back(queue: &Queue, times: u32) {
    let consumer = queue.parts_consumer().await.unwrap();
    for _ in 0..times {
        let pull = consumer.batch().max_messages(1).expires(LIMIT).messages();
        let message = pull.await.unwrap().next().await.unwrap().unwrap();
        message.ack_with(AckKind::Nak(None)).await.unwrap();
    }
}

#[tokio::test]
async fn an_offer_waits_until_it_is_taken_or_withdrawn() {
    let rig = Rig::new().await;
    let (task, queue) = lead(&rig).await;
    assert_eq!(offer(&queue, &task, 0).await, Some(1));
    assert_eq!(offer(&queue, &task, 1).await, Some(2));
    assert_eq!(offer(&queue, &task, 0).await, Some(1), "it exists once");
    assert_eq!(queue.delivered_parts().await.unwrap(), 0);
    assert_eq!(rig.queue.metrics().await.unwrap().parts.unwrap().depth(), 2);
    queue.withdraw_part(1).await.unwrap();
    queue.withdraw_part(1).await.unwrap();
    assert_eq!(queue.offered_part(task.task_id, PLAN, 0).await.unwrap(), None);
    give_back(&queue, 1).await;
    assert_eq!(queue.delivered_parts().await.unwrap(), 2);
    assert_eq!(queue.offered_part(task.task_id, PLAN, 1).await.unwrap(), Some(2));
    // With the task its offers go too.
    let lane = vidp_contract::Lane::Interactive;
    rig.queue
        .remove_task(rig.stage, lane, task.task_id)
        .await
        .unwrap();
    assert_eq!(queue.offered_part(task.task_id, PLAN, 1).await.unwrap(), None);
}

#[tokio::test]
async fn another_worker_makes_the_part_and_nothing_else() {
    let rig = Rig::new().await;
    let (task, queue) = lead(&rig).await;
    let (_stop, _) = rig.worker(async |attempt| {
        let part = attempt.part.clone().expect("an offered part");
        let file = attempt.scratch.join("part");
        std::fs::write(&file, b"work").unwrap();
        attempt
            .store_part(&part.number.to_string(), &[&file], &7_u32)
            .await;
        Ok(report())
    });
    offer(&queue, &task, 3).await;
    ended(&queue, &task, 3).await;
    let read = async |key: String| rig.store.read(&key).await.unwrap();
    let part = read(keys::part(&task.output_prefix, task.task_id, "3")).await;
    assert!(part.is_some());
    // The delivery of the task is that of another worker: this one notes nothing about it, and ends nothing.
    assert_eq!(
        read(keys::delivery(&task.output_prefix, task.task_id, 1)).await,
        None
    );
    assert_eq!(read(keys::manifest(&task.output_prefix)).await, None);
    let streams = rig.queue.metrics().await.unwrap().streams;
    assert_eq!(streams[streams::RESULTS].messages, 0);
    // The stage has its result: the next offer is not worked on.
    rig.store
        .put(&keys::manifest(&task.output_prefix), "{}".into())
        .await
        .unwrap();
    offer(&queue, &task, 4).await;
    ended(&queue, &task, 4).await;
    assert_eq!(
        read(keys::part(&task.output_prefix, task.task_id, "4")).await,
        None
    );
}

#[tokio::test]
async fn offers_that_fail_are_left_to_the_worker_of_the_task() {
    let rig = Rig::new().await;
    let (task, queue) = lead(&rig).await;
    // A part that ended three workers.
    offer(&queue, &task, 0).await;
    give_back(&queue, 3).await;
    let (tried, mut tries) = mpsc::unbounded_channel();
    let (_stop, _) = rig.worker(move |attempt| {
        let part = attempt.part.clone().expect("an offered part");
        tried.send((part.number, attempt.number)).unwrap();
        async move {
            match (part.number, attempt.number) {
                (1, _) => Err(TaskError::fail(FailureCode::DamagedMedia, "no picture")),
                (_, 1) => Err(TaskError::Retry(anyhow::anyhow!("the network"))),
                _ => Ok(report()),
            }
        }
    });
    ended(&queue, &task, 0).await;
    offer(&queue, &task, 2).await;
    ended(&queue, &task, 2).await;
    offer(&queue, &task, 1).await;
    ended(&queue, &task, 1).await;
    let mut all = Vec::new();
    while let Ok(one) = tries.try_recv() {
        all.push(one);
    }
    assert_eq!(all, [(2, 1), (2, 2), (1, 1)]);
    let streams = rig.queue.metrics().await.unwrap().streams;
    assert_eq!(
        (
            streams[streams::RESULTS].messages,
            streams[streams::DEAD].messages
        ),
        (0, 0)
    );
}

/// A worker with other settings refuses at once, and would take every offer before the workers that can make the parts.
#[tokio::test]
async fn a_worker_that_refuses_leaves_the_next_offers_to_others() {
    let rig = Rig::new().await;
    let (task, queue) = lead(&rig).await;
    let (_stop, _) = rig.worker(async |attempt| match attempt.part {
        Some(_) => Err(TaskError::fail(FailureCode::Internal, "other settings")),
        None => Ok(report()),
    });
    offer(&queue, &task, 0).await;
    ended(&queue, &task, 0).await;
    offer(&queue, &task, 1).await;
    // Each of five pulls has another order: all queues are looked at.
    for _ in 0..5 {
        rig.publish(&rig.task().await).await;
        rig.result().await;
    }
    assert_eq!(queue.offered_part(task.task_id, PLAN, 1).await.unwrap(), Some(2));
    assert_eq!(queue.delivered_parts().await.unwrap(), 1);
}

#[tokio::test]
async fn a_cancelled_job_stops_its_parts() {
    let rig = Rig::new().await;
    let (task, queue) = lead(&rig).await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let (_stop, _) = rig.worker(move |attempt| {
        started.send(attempt.clone()).unwrap();
        async move {
            attempt.cancel.cancelled().await;
            Err(TaskError::Cancelled)
        }
    });
    offer(&queue, &task, 0).await;
    let attempt = timeout(LIMIT, starts.recv()).await.unwrap().unwrap();
    let cancel = Cancel {
        job_id: task.job_id,
        tasks: vec![task.task_id],
    };
    // The subscription of a worker that has just started may begin a moment after its first task.
    until(async || {
        rig.queue.cancel(&cancel).await.unwrap();
        attempt.cancel.is_cancelled()
    })
    .await;
    ended(&queue, &task, 0).await;
    // An offer that was published at the same moment is not begun.
    offer(&queue, &task, 1).await;
    ended(&queue, &task, 1).await;
    assert!(starts.try_recv().is_err());
}

/// A message that is no valid offer is discarded.
#[tokio::test]
async fn what_is_no_offer_is_discarded() {
    let rig = Rig::new().await;
    let (task, queue) = lead(&rig).await;
    let whole = serde_json::to_string(&PartOffer {
        task: task.clone(),
        plan: PLAN.to_owned(),
        number: 0,
    })
    .unwrap();
    for (number, payload) in [
        "nothing".to_owned(),
        whole.replace(PLAN, "../../uploads"),
        whole.replace("\"scale\"", "\"detect\""),
    ]
    .into_iter()
    .enumerate()
    {
        let subject = streams::part(task.task_id, PLAN, number as u32);
        let jetstream = async_nats::jetstream::new(queue.client().clone());
        jetstream
            .publish(subject, payload.into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let (_stop, _) = rig.worker(async |_| panic!("no offer is valid"));
    for number in 0..3 {
        ended(&queue, &task, number).await;
    }
    assert_eq!(offer(&queue, &task, 9).await, Some(4));
}

/// An API of an earlier release has created no queue of parts.
#[tokio::test]
async fn without_the_queue_of_parts_tasks_run() {
    let rig = Rig::new().await;
    let admin = connect(&rig.config, "admin").await;
    let jetstream = async_nats::jetstream::new(admin.client().clone());
    #[expect(clippy::disallowed_methods, reason = "a test")]
    jetstream.delete_stream(streams::PARTS).await.unwrap();
    let (_stop, _) = rig.worker(async |_| Ok(report()));
    let task = rig.task().await;
    rig.publish(&task).await;
    assert_eq!(rig.result().await.task_id, task.task_id);
    let queue = connect(&rig.config, "downscale").await;
    let offer = PartOffer {
        task,
        plan: PLAN.to_owned(),
        number: 0,
    };
    let trace = TraceParent::of_job(Uuid::now_v7());
    let refused = timeout(Duration::from_secs(20), queue.offer_part(&offer, &trace)).await;
    assert!(refused.unwrap().is_err());
}
