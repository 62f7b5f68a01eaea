//! Which jobs have just changed, whichever process changed them: the waiting half of long polling.

use crate::db::Db;
use futures_util::TryStreamExt;
use mongodb::bson::doc;
use std::time::Duration;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Pause before the stream is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// Announces the ids of changed jobs.
#[derive(Clone)]
pub struct Changes(broadcast::Sender<Uuid>);

impl Default for Changes {
    fn default() -> Self {
        Changes(broadcast::channel(4096).0)
    }
}

impl Changes {
    /// The ids from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Uuid> {
        self.0.subscribe()
    }

    /// Follows MongoDB's change stream for as long as the process lives.
    pub async fn follow(self, db: Db) {
        let mut told = false;
        loop {
            match self.follow_once(&db, &mut told).await {
                Err(error) if !told => {
                    tracing::warn!("changes are not followed, long polls answer late: {error}")
                }
                _ => {}
            }
            told = true;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow_once(&self, db: &Db, told: &mut bool) -> mongodb::error::Result<()> {
        // Only the ids: the documents themselves are read by whoever waits for one.
        let ids = [doc! { "$project": { "documentKey": 1, "operationType": 1, "ns": 1 } }];
        let mut stream = db.jobs().watch().pipeline(ids).await?;
        *told = false;
        while let Some(event) = stream.try_next().await? {
            let key = event
                .document_key
                .as_ref()
                .and_then(|key| key.get_str("_id").ok());
            if let Some(id) = key.and_then(|id| id.parse().ok()) {
                // Fails when nobody waits.
                let _ = self.0.send(id);
            }
        }
        Ok(())
    }
}
