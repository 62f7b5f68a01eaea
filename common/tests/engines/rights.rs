//! Rights of the programs' users on the store, as Compose and Kubernetes ship them (`deploy/s3/`).

use crate::harness::Rig;
use bytes::Bytes;
use uuid::Uuid;
use vidp_common::store::{Multipart, PutIfAbsent, Store, StoreError};
use vidp_contract::{Stage, keys};
use vidp_engines::S3User;

const WORKERS: [(S3User, Stage); 3] = [
    (S3User::Langscale, Stage::Detect),
    (S3User::Downscale, Stage::Scale),
    (S3User::Subtitle, Stage::Subtitle),
];

fn denied<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Denied { .. })), "{result:?}");
}

async fn put(store: &Store, key: &str) -> Result<(), StoreError> {
    store.put(key, Bytes::from_static(b"x")).await
}

#[tokio::test]
async fn a_worker_reads_sources_and_writes_outputs_of_its_stage() {
    let rig = Rig::new().await;
    let (job, attempt) = (Uuid::now_v7(), Uuid::now_v7());
    put(&rig.store, &keys::source(job)).await.unwrap();
    let file = rig.folder.path().join("file");
    // More than a single PUT sends.
    std::fs::write(&file, vec![7; 17 << 20]).unwrap();
    for (user, stage) in WORKERS {
        let (worker, prefix) = (rig.client(user), keys::stage_prefix(job, stage));
        assert!(worker.honours_conditional_writes(stage).await.unwrap());
        assert_eq!(worker.size(&keys::source(job)).await.unwrap(), Some(1));
        assert_eq!(worker.read(&keys::source(job)).await.unwrap().unwrap(), b"x");
        assert_eq!(worker.read(&keys::manifest(&prefix)).await.unwrap(), None);
        let output = keys::output(&prefix, attempt, "a.mp4");
        let stored = worker.upload(&output, &file, "video/mp4").await.unwrap();
        let back = rig.folder.path().join("back");
        worker
            .download(&output, &back, stored.size, &stored.sha256)
            .await
            .unwrap();
        let manifest = async || {
            worker
                .put_if_absent(&keys::manifest(&prefix), b"{}".to_vec())
                .await
        };
        assert_eq!(manifest().await.unwrap(), PutIfAbsent::Created);
        assert_eq!(manifest().await.unwrap(), PutIfAbsent::Exists);
        // A cancelled attempt aborts its upload.
        let upload = worker.open_multipart(&output, "video/mp4").await.unwrap();
        worker.abort_multipart(&output, &upload).await.unwrap();
        assert!(rig.store.open_multiparts(&prefix).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_worker_may_not_touch_the_objects_of_others() {
    let rig = Rig::new().await;
    let (job, attempt) = (Uuid::now_v7(), Uuid::now_v7());
    put(&rig.store, &keys::source(job)).await.unwrap();
    for (user, stage) in WORKERS {
        let worker = rig.client(user);
        let own = keys::output(&keys::stage_prefix(job, stage), attempt, "a.mp4");
        put(&worker, &own).await.unwrap();
        // A worker cannot delete its outputs, nor other objects, nor many at once.
        denied(worker.delete(&own).await);
        denied(worker.delete(&keys::source(job)).await);
        assert!(
            worker
                .delete_all(&[own.clone(), keys::source(job)])
                .await
                .is_err()
        );
        assert_eq!(rig.store.size(&own).await.unwrap(), Some(1));
        assert_eq!(rig.store.size(&keys::source(job)).await.unwrap(), Some(1));
        // No list, so that a job's id must be known.
        denied(worker.list("").await);
        denied(worker.list(&keys::stage_prefix(job, stage)).await);
        denied(worker.open_multiparts("uploads/").await);
        denied(worker.check().await);
        // No change of a source, and nothing beside the known prefixes.
        denied(put(&worker, &keys::source(job)).await);
        denied(worker.open_multipart(&keys::source(job), "video/mp4").await);
        denied(put(&worker, "probes/other").await);
        denied(put(&worker, &format!("outputs/{stage}/x")).await);
        denied(
            worker
                .beside(&format!("test-{}", Uuid::now_v7()))
                .ensure_bucket()
                .await,
        );
        for (_, other) in WORKERS.into_iter().filter(|(_, other)| *other != stage) {
            let prefix = keys::stage_prefix(job, other);
            denied(put(&worker, &keys::output(&prefix, attempt, "a.mp4")).await);
            denied(put(&worker, &format!("{prefix}{stage}/a.mp4")).await);
            denied(put(&worker, &keys::manifest(&prefix)).await);
            denied(put(&worker, &keys::probe(other)).await);
            denied(worker.read(&keys::manifest(&prefix)).await);
        }
    }
}

#[tokio::test]
async fn the_api_may_use_its_bucket_alone() {
    let rig = Rig::new().await;
    let api = rig.client(S3User::Api);
    let (job, other) = (
        Uuid::now_v7(),
        rig.store.beside(&format!("other-{}", Uuid::now_v7())),
    );
    other.ensure_bucket().await.unwrap();
    put(&other, &keys::source(job)).await.unwrap();
    let foreign = api.beside(other.bucket());
    denied(foreign.check().await);
    denied(foreign.list("").await);
    denied(foreign.read(&keys::source(job)).await);
    denied(put(&foreign, &keys::source(job)).await);
    denied(foreign.delete(&keys::source(job)).await);
    denied(
        api.beside(&format!("new-{}", Uuid::now_v7()))
            .ensure_bucket()
            .await,
    );

    // A bucket of sources by reference is read, and never written.
    let films = rig.store.beside(&format!("films-{}", Uuid::now_v7()));
    films.ensure_bucket().await.unwrap();
    put(&films, "in/film.mp4").await.unwrap();
    let reader = api.beside(films.bucket());
    assert_eq!(reader.read("in/film.mp4").await.unwrap().unwrap(), b"x");
    denied(put(&reader, "in/film.mp4").await);
    denied(reader.delete("in/film.mp4").await);

    // All that the API does in its own bucket.
    let own = rig.store.beside(&format!("test-{}", Uuid::now_v7()));
    let api = api.beside(own.bucket());
    api.ensure_bucket().await.unwrap();
    api.check().await.unwrap();
    let mut upload = Multipart::start(&api, &keys::source(job), "video/mp4", 1 << 20)
        .await
        .unwrap();
    upload.write(Bytes::from_static(b"a film")).await.unwrap();
    assert_eq!(api.open_multiparts("uploads/").await.unwrap().len(), 1);
    upload.complete().await.unwrap();
    let sent = api
        .open_multipart(&keys::tail(job, 1), "video/mp4")
        .await
        .unwrap();
    api.abort_multipart(&keys::tail(job, 1), &sent).await.unwrap();
    put(
        &api,
        &keys::output(&keys::stage_prefix(job, Stage::Scale), job, "a.mp4"),
    )
    .await
    .unwrap();
    let keys = [
        api.list("uploads/").await.unwrap(),
        api.list("outputs/").await.unwrap(),
    ]
    .concat();
    assert_eq!(keys.len(), 2);
    api.delete_all(&keys).await.unwrap();
    assert!(own.list("").await.unwrap().is_empty());
    denied(put(&api, "elsewhere/x").await);
}
