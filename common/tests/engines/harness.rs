//! A separate bucket for each test.

use clap::Parser;
use std::time::Duration;
use uuid::Uuid;
use vidp_common::{config::S3Config, store::Store};
use vidp_engines::S3User;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    s3: S3Config,
}

/// Time limit of every condition in these tests.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) config: S3Config,
    pub(crate) folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) async fn new() -> Rig {
        let s3 = &vidp_engines::shared().s3;
        let config = Cli::try_parse_from([
            "store",
            "--s3-endpoint",
            &s3.endpoint(),
            "--s3-access-key",
            s3.access_key(),
            "--s3-secret-key",
            s3.secret_key(),
            "--s3-bucket",
            &format!("test-{}", Uuid::now_v7()),
        ])
        .unwrap()
        .s3;
        let store = Store::new(&config);
        store.ensure_bucket().await.unwrap();
        Rig {
            store,
            config,
            folder: tempfile::tempdir().unwrap(),
        }
    }
}

impl Rig {
    /// A client of this bucket with the rights of a program.
    pub(crate) fn client(&self, user: S3User) -> Store {
        let key = vidp_engines::shared().s3.key(user);
        Store::new(&S3Config {
            s3_access_key: key.access_key.clone(),
            s3_secret_key: key.secret_key.clone(),
            ..self.config.clone()
        })
    }
}

/// Waits until the condition holds.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, wait)
        .await
        .expect("the condition holds in time");
}
