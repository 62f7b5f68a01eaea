//! The collection `files`: resumable uploads.
//!
//! A request appends under a claim. Every change requires that the claim still holds.

use super::client::{Db, DbError};
use super::open::Open;
use crate::resumable::{Resumable, UploadState};
use async_recursion::async_recursion as boxed;
use mongodb::{
    Collection, IndexModel,
    bson::{DateTime, Document, doc},
    options::{IndexOptions, ReturnDocument},
};
use uuid::Uuid;

/// The collection's name.
pub(super) const NAME: &str = "files";

impl Db {
    /// Stores a new upload.
    #[boxed]
    pub async fn insert_resumable(&self, upload: &Resumable) -> Result<(), DbError> {
        let (files, upload) = (self.files(), upload.clone());
        self.run(async move { files.insert_one(upload).await.map(drop) })
            .await
    }

    /// Records the id of the multipart upload. Returns false when one is recorded already.
    #[boxed]
    pub async fn opened_resumable(&self, upload: &Resumable) -> Result<bool, DbError> {
        let new = doc! { "_id": upload.id.to_string(), "upload_id": "" };
        self.update_file(new, doc! { "$set": { "upload_id": &upload.upload_id } })
            .await
    }

    /// Returns a tenant's upload, unless it was removed.
    #[boxed]
    pub async fn resumable(&self, tenant: &str, id: Uuid) -> Result<Resumable, DbError> {
        let query =
            doc! { "_id": id.to_string(), "tenant": tenant, "state": { "$ne": UploadState::Gone.as_str() } };
        let found = self.find_first(self.files(), query).await?;
        found.ok_or(DbError::NotFound)
    }

    /// Returns a tenant's uploads with these ids in any order, except removed ones.
    #[boxed]
    pub async fn resumables_of(&self, tenant: &str, ids: &[Uuid]) -> Result<Vec<Resumable>, DbError> {
        let ids: Vec<_> = ids.iter().map(Uuid::to_string).collect();
        let query =
            doc! { "_id": { "$in": ids }, "tenant": tenant, "state": { "$ne": UploadState::Gone.as_str() } };
        self.find_all(self.files(), query, doc! {}, 0).await
    }

    /// Returns an upload of any tenant, unless it was removed.
    #[boxed]
    pub async fn find_resumable(&self, id: Uuid) -> Result<Option<Resumable>, DbError> {
        let query = doc! { "_id": id.to_string(), "state": { "$ne": UploadState::Gone.as_str() } };
        self.find_first(self.files(), query).await
    }

    /// Claims an open upload whose offset is `offset`. Returns `None` when it has another state or offset.
    #[boxed]
    pub async fn claim_resumable(&self, id: Uuid, offset: i64) -> Result<Option<Resumable>, DbError> {
        let query = doc! { "_id": id.to_string(), "state": UploadState::Open.as_str(), "offset": offset };
        let files = self.files();
        self.run(async move {
            files
                .find_one_and_update(query, doc! { "$inc": { "claim": 1_i64 } })
                .return_document(ReturnDocument::After)
                .await
        })
        .await
    }

    /// Records the new offset and the `hashes` of the new parts. Returns false when the claim was lost.
    #[boxed]
    pub async fn advance_resumable(&self, upload: &Resumable, hashes: Vec<String>) -> Result<bool, DbError> {
        let held =
            doc! { "_id": upload.id.to_string(), "state": UploadState::Open.as_str(), "claim": upload.claim };
        let mut set = doc! {
            "offset": upload.offset,
            "expires_at": upload.expires_at,
            "state": upload.state.as_str(),
            "tail_sha256": upload.tail_sha256.as_deref(),
        };
        if let Some(at) = upload.finish_at {
            set.insert("finish_at", at);
        }
        // Appended instead of rewritten: a long upload has thousands of hashes.
        let more = doc! { "hashes": { "$each": hashes } };
        self.update_file(held, doc! { "$set": set, "$push": more }).await
    }

    /// Records that the object and the job exist. Returns false when the upload is not complete.
    #[boxed]
    pub async fn done_resumable(&self, id: Uuid) -> Result<bool, DbError> {
        let complete = doc! { "_id": id.to_string(), "state": UploadState::Complete.as_str() };
        let done = doc! { "$set": { "state": UploadState::Done.as_str() }, "$unset": { "finish_at": "" } };
        self.update_file(complete, done).await
    }

    /// Hides an upload from clients, so that the sweeper removes it. Returns false when its state has changed.
    #[boxed]
    pub async fn gone_resumable(&self, upload: &Resumable) -> Result<bool, DbError> {
        let same = doc! { "_id": upload.id.to_string(), "state": upload.state.as_str() };
        let set = doc! { "state": UploadState::Gone.as_str(), "expires_at": DateTime::now() };
        self.update_file(same, doc! { "$set": set, "$unset": { "finish_at": "" } })
            .await
    }

    /// Removes the document of an upload.
    #[boxed]
    pub async fn remove_resumable(&self, id: Uuid) -> Result<(), DbError> {
        let (files, id) = (self.files(), doc! { "_id": id.to_string() });
        self.run(async move { files.delete_one(id).await.map(drop) })
            .await
    }

    /// Returns uploads that the sweeper must finish or remove.
    #[boxed]
    pub async fn resumables_due(&self, now: DateTime, limit: i64) -> Result<Vec<Resumable>, DbError> {
        let due = doc! { "$or": [
            { "finish_at": { "$lte": now } },
            { "expires_at": { "$lte": now }, "state": { "$ne": UploadState::Complete.as_str() } },
        ] };
        self.find_all(self.files(), due, doc! {}, limit).await
    }

    /// Counts a tenant's uploads and their announced bytes. A finished upload counts until its bytes belong to a job.
    pub(super) async fn open_resumables(&self, tenant: &str) -> Result<Open, DbError> {
        let unfinished = [UploadState::Open, UploadState::Complete].map(UploadState::as_str);
        let done = UploadState::Done.as_str();
        let waiting = [
            doc! { "state": { "$in": unfinished.to_vec() } },
            doc! { "state": done, "kind": "partial" },
        ];
        let count = [
            doc! { "$match": { "tenant": tenant, "$or": waiting.to_vec() } },
            doc! { "$group": { "_id": null, "jobs": { "$sum": 1_i64 }, "bytes": { "$sum": "$size" } } },
        ];
        let counted = self.aggregate(self.files(), count.into()).await?;
        Ok(Open::read(counted.into_iter().next()))
    }

    async fn update_file(&self, filter: Document, change: Document) -> Result<bool, DbError> {
        let files = self.files();
        let updated = self.run(async move { files.update_one(filter, change).await });
        Ok(updated.await?.matched_count == 1)
    }

    fn files(&self) -> Collection<Resumable> {
        self.collection(NAME)
    }
}

/// The indexes of the queries above.
pub(super) fn indexes() -> Vec<IndexModel> {
    let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
    let due = IndexOptions::builder().partial_filter_expression(doc! { "finish_at": { "$exists": true } });
    vec![
        index(doc! { "finish_at": 1 }, due.build()),
        index(doc! { "expires_at": 1 }, IndexOptions::default()),
        index(doc! { "tenant": 1, "state": 1 }, IndexOptions::default()),
    ]
}
