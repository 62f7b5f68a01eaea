//! Finished parts of a task, with which a later delivery of the task continues.
//!
//! A part is some files and what a handler knows about them. Its manifest is written after its files, so that a part is
//! whole or absent. Parts save work and are never the result: a store that fails costs the repetition of a part.

use super::{attempt::Attempt, tally::Ended};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{path::Path, sync::atomic::Ordering};
use vidp_common::{
    crash,
    store::{PutIfAbsent, StoreError},
};
use vidp_contract::keys;

/// Maximum size of a part's manifest in bytes.
const MAX_MANIFEST: u64 = 64 << 10;
/// Media type of the files of parts.
const CONTENT_TYPE: &str = "application/octet-stream";

/// The manifest of a part.
#[derive(Serialize, Deserialize)]
struct Manifest<T> {
    files: Vec<StoredFile>,
    facts: T,
}

/// A stored file of a part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl Attempt {
    /// Fetches the part `name` to `files`, if a delivery of the task has finished it, and returns its facts.
    ///
    /// The name must say everything on which the content of the part depends, because another release may have made it.
    pub async fn fetch_part<T: DeserializeOwned>(&self, name: &str, files: &[&Path]) -> Option<T> {
        Some(self.fetch_stored_part(name, files).await?.0)
    }

    /// The same, and the objects of the files.
    pub async fn fetch_stored_part<T: DeserializeOwned>(
        &self,
        name: &str,
        files: &[&Path],
    ) -> Option<(T, Vec<StoredFile>)> {
        let fetched = tokio::select! {
            fetched = self.try_fetch_part(name, files) => fetched,
            () = self.cancel.cancelled() => return None,
        };
        fetched.unwrap_or_else(|error| {
            tracing::warn!(
                name,
                "a finished part cannot be used and is made again: {error:#}"
            );
            None
        })
    }

    async fn try_fetch_part<T: DeserializeOwned>(
        &self,
        name: &str,
        files: &[&Path],
    ) -> anyhow::Result<Option<(T, Vec<StoredFile>)>> {
        let Some(manifest) = self.part_manifest::<T>(name).await? else {
            return Ok(None);
        };
        anyhow::ensure!(manifest.files.len() == files.len(), "it has other files");
        for (stored, path) in manifest.files.iter().zip(files) {
            anyhow::ensure!(
                stored.key.starts_with(&self.task.output_prefix),
                "it names a foreign object"
            );
            self.store
                .download(&stored.key, path, stored.size, &stored.sha256)
                .await?;
        }
        Ok(Some((manifest.facts, manifest.files)))
    }

    /// The facts of the part `name`, if it is stored.
    ///
    /// # Errors
    /// The store failed, or what it has is no part.
    pub async fn part_facts<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<T>> {
        Ok(self.part_manifest(name).await?.map(|manifest| manifest.facts))
    }

    async fn part_manifest<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<Option<Manifest<T>>> {
        let key = keys::part(&self.task.output_prefix, self.task.task_id, name);
        match self.store.read_at_most(&key, MAX_MANIFEST).await {
            // AWS S3 denies access to a missing object, because a worker may not list.
            Ok(None) | Err(StoreError::Denied { .. }) => Ok(None),
            read => Ok(Some(serde_json::from_slice(&read?.unwrap_or_default())?)),
        }
    }

    /// Stores the part `name`, so that a later delivery can use it. Returns the objects of this attempt, which are not those of the part
    /// when another attempt was first; `None` when the store failed.
    pub async fn store_part<T: Serialize>(
        &self,
        name: &str,
        files: &[&Path],
        facts: &T,
    ) -> Option<Vec<StoredFile>> {
        if self.part.is_some() && self.has_ended().await {
            // The tidying of the stage may have been here already.
            return None;
        }
        let (stored, is_new) = self.store_files(name, files, facts).await?;
        if is_new && self.part.is_none() {
            self.advanced().await;
        }
        Some(stored)
    }

    /// Stores a file that belongs to a part, without a manifest: only an index of a stream names it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn store_piece(&self, name: &str, number: usize, path: &Path) -> anyhow::Result<StoredFile> {
        let (prefix, task) = (&self.task.output_prefix, self.task.task_id);
        let key = keys::part_file(prefix, task, name, self.id, number);
        let file = self.store.upload(&key, path, CONTENT_TYPE).await?;
        Ok(StoredFile {
            key,
            size: file.size,
            sha256: file.sha256,
        })
    }

    /// True when the stage has its result.
    async fn has_ended(&self) -> bool {
        let key = keys::manifest(&self.task.output_prefix);
        matches!(self.store.size(&key).await, Ok(Some(_)))
    }

    /// Stores a file that workers of offered parts need. They fetch it as a part without facts.
    ///
    /// It is no finished work: a worker that dies later has failed.
    pub async fn share(&self, name: &str, file: &Path) {
        self.store_files(name, &[file], &()).await;
    }

    /// Stores files with their manifest. Returns the objects, and false when there is a manifest already; `None` when the store fails.
    async fn store_files<T: Serialize>(
        &self,
        name: &str,
        files: &[&Path],
        facts: &T,
    ) -> Option<(Vec<StoredFile>, bool)> {
        let stored = tokio::select! {
            stored = self.try_store_files(name, files, facts) => stored,
            () = self.cancel.cancelled() => return None,
        };
        stored
            .inspect_err(|error| tracing::warn!(name, "a finished part could not be stored: {error:#}"))
            .ok()
    }

    /// Notes, once, that this delivery of the task has finished a part: a later death of the worker is no failed attempt.
    ///
    /// Without the note it counts as one.
    pub async fn advanced(&self) {
        if self.has_advanced.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = Ended::Advanced.note(&self.store, &self.task, self.number).await {
            self.has_advanced.store(false, Ordering::Relaxed);
            tracing::warn!("a finished part could not be noted: {error}");
        }
    }

    async fn try_store_files<T: Serialize>(
        &self,
        name: &str,
        files: &[&Path],
        facts: &T,
    ) -> anyhow::Result<(Vec<StoredFile>, bool)> {
        let (prefix, task) = (&self.task.output_prefix, self.task.task_id);
        let mut stored = Vec::new();
        for (number, path) in files.iter().enumerate() {
            stored.push(self.store_piece(name, number, path).await?);
        }
        crash::step("part.stored");
        let files = stored.clone();
        let manifest = serde_json::to_vec(&Manifest { files, facts })?;
        let key = keys::part(prefix, task, name);
        // Another attempt may have stored the same part. An encoder with another number of threads writes other bytes.
        let put = self.store.put_if_absent(&key, manifest).await?;
        crash::step("part.committed");
        Ok((stored, put == PutIfAbsent::Created))
    }
}
