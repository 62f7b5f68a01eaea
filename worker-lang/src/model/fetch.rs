//! Fetches models from the object store at start-up, and caches them in the scratch folder.

use crate::config::EngineConfig;
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};
use vidp_common::{
    LogOnce,
    config::{S3Config, WorkerConfig},
    store::{Store, StoreError},
};
use vidp_contract::hex;

/// Pause between attempts while the store does not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// Makes both models available as local files and changes the settings to their paths.
///
/// A model with a configured SHA-256 is verified. The function waits while the object store does not answer.
///
/// # Errors
/// A setting is invalid, the object is missing, or the SHA-256 differs.
pub async fn fetch_models(engine: &mut EngineConfig, worker: &WorkerConfig) -> Result<()> {
    let (whisper, vad) = (&engine.whisper_model_sha256, &engine.vad_model_sha256);
    engine.whisper_model = local(&engine.whisper_model, whisper.as_deref(), worker)
        .await
        .context("VIDP_WHISPER_MODEL")?;
    engine.vad_model = local(&engine.vad_model, vad.as_deref(), worker)
        .await
        .context("VIDP_VAD_MODEL")?;
    Ok(())
}

/// Returns the local path of a model, and downloads the model if necessary.
async fn local(model: &Path, sha256: Option<&str>, worker: &WorkerConfig) -> Result<PathBuf> {
    // The SHA-256 becomes a file name, so other characters are refused.
    let is_hash =
        |hash: &str| hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    ensure!(
        sha256.is_none_or(is_hash),
        "a SHA-256 has 64 hexadecimal digits in lower case"
    );
    let Some(object) = model.to_str().and_then(|model| model.strip_prefix("s3://")) else {
        if let Some(sha256) = sha256 {
            let found = hash(model).with_context(|| model.display().to_string())?;
            ensure!(
                found == sha256,
                "{}: its SHA-256 is {found}, expected {sha256}",
                model.display()
            );
        }
        return Ok(model.to_owned());
    };
    let (bucket, key) = object.split_once('/').context("expected s3://bucket/key")?;
    let sha256 = sha256.context(
        "a model in the object store requires a SHA-256: set the variable with the suffix _SHA256",
    )?;
    let folder = worker.scratch_dir.join("models");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let cached = folder.join(sha256);
    // Other workers and containers may share the folder: one downloads, the others wait. The lock ends with its process.
    let _lock = lock(folder.join(format!("{sha256}.lock"))).await?;
    if hash(&cached).is_ok_and(|found| found == sha256) {
        return Ok(cached);
    }
    let store = Store::new(&S3Config {
        s3_bucket: bucket.to_owned(),
        ..worker.s3.clone()
    });
    let partial = folder.join(format!("{sha256}.partial"));
    download(&store, key, &partial, sha256).await?;
    fs::rename(&partial, &cached)?;
    tracing::info!(model = %model.display(), "model fetched");
    Ok(cached)
}

/// Waits for the lock of a file; it lasts until the file is closed.
async fn lock(path: PathBuf) -> Result<File> {
    let wait = move || {
        let file = File::create(path)?;
        file.lock().map(|()| file)
    };
    Ok(tokio::task::spawn_blocking(wait).await??)
}

/// Downloads an object to `path`, and retries while the store does not answer.
async fn download(store: &Store, key: &str, path: &Path, sha256: &str) -> Result<()> {
    let mut outage = LogOnce::default();
    loop {
        let fetch = async {
            let size = store
                .size(key)
                .await?
                .ok_or_else(|| StoreError::Missing { key: key.to_owned() })?;
            store.download(key, path, size, sha256).await
        };
        match fetch.await {
            Err(error @ StoreError::Refused { .. }) => {
                if outage.first_failure() {
                    tracing::warn!("waiting for the object store: {error}");
                }
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
            ended => return Ok(ended?),
        }
    }
}

/// SHA-256 of a file in lower-case hexadecimal.
fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => break,
            read => hash.update(&block[..read]),
        }
    }
    Ok(hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        worker: WorkerConfig,
    }

    #[tokio::test]
    async fn a_model_is_fetched_once_and_verified() {
        let folder = tempfile::tempdir().unwrap();
        let mut s3 = vidp_engines::S3::start(&folder.path().join("s3"), 0).unwrap();
        let scratch = folder.path().join("scratch");
        let (url, access, secret) = (
            s3.endpoint(),
            s3.access_key().to_owned(),
            s3.secret_key().to_owned(),
        );
        let mut worker = Cli::parse_from(["worker"]).worker;
        worker.scratch_dir.clone_from(&scratch);
        worker.s3 = S3Config {
            s3_endpoint: url,
            s3_region: "us-east-1".to_owned(),
            s3_bucket: "models".to_owned(),
            s3_access_key: access,
            s3_secret_key: secret,
        };
        let store = Store::new(&worker.s3);
        store.ensure_bucket().await.unwrap();
        let file = folder.path().join("model");
        fs::write(&file, b"a model").unwrap();
        let stored = store
            .upload("whisper/base.bin", &file, "application/octet-stream")
            .await
            .unwrap();
        let (model, sha256) = (Path::new("s3://models/whisper/base.bin"), stored.sha256.as_str());

        // Two workers that share the folder start at the same moment.
        let fetch = || local(model, Some(sha256), &worker);
        let (cached, again) = tokio::try_join!(fetch(), fetch()).unwrap();
        assert_eq!(again, cached);
        assert_eq!(fs::read(&cached).unwrap(), b"a model");
        let check = async |model: &str, sha256, expected: &str| {
            let error = local(Path::new(model), sha256, &worker).await.unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        };
        let other = "0".repeat(64);
        check("s3://models/whisper/base.bin", None, "requires a SHA-256").await;
        check(
            "s3://models/whisper/base.bin",
            Some("../x"),
            "64 hexadecimal digits",
        )
        .await;
        check(
            "s3://models/whisper/base.bin",
            Some(&other),
            "differs from what was stored",
        )
        .await;
        check("s3://models/none.bin", Some(&other), "no object").await;
        check("s3://models", Some(&other), "s3://bucket/key").await;
        check(file.to_str().unwrap(), Some(&other), "its SHA-256 is").await;
        assert_eq!(local(&file, Some(sha256), &worker).await.unwrap(), file);

        // The next start uses the cached file, without the store.
        s3.stop();
        assert_eq!(local(model, Some(sha256), &worker).await.unwrap(), cached);
    }
}
