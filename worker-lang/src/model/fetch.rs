//! Where the models come from: a file, or an object that is fetched at the start and kept in the scratch folder.

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
    config::{S3Config, WorkerConfig},
    store::{Store, StoreError},
};
use vidp_contract::hex;

/// Pause between looks at a store that is down.
const PAUSE: Duration = Duration::from_secs(2);

/// Brings the models to this machine and checks those whose SHA-256 is set; the configuration names files afterwards.
///
/// An object store that is down is waited for; an object that is not there or not the one expected is an error.
pub async fn models(engine: &mut EngineConfig, worker: &WorkerConfig) -> Result<()> {
    let (whisper, vad) = (&engine.whisper_model_sha256, &engine.vad_model_sha256);
    engine.whisper_model = local(&engine.whisper_model, whisper.as_deref(), worker)
        .await
        .context("VIDP_WHISPER_MODEL")?;
    engine.vad_model = local(&engine.vad_model, vad.as_deref(), worker)
        .await
        .context("VIDP_VAD_MODEL")?;
    Ok(())
}

async fn local(model: &Path, sha256: Option<&str>, worker: &WorkerConfig) -> Result<PathBuf> {
    // It becomes a file name.
    let is_hash =
        |hash: &str| hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    ensure!(
        sha256.is_none_or(is_hash),
        "a SHA-256 has 64 digits of 0-9 and a-f"
    );
    let Some(object) = model.to_str().and_then(|model| model.strip_prefix("s3://")) else {
        if let Some(sha256) = sha256 {
            let found = hash(model).with_context(|| model.display().to_string())?;
            ensure!(found == sha256, "{}: its SHA-256 is {found}", model.display());
        }
        return Ok(model.to_owned());
    };
    let (bucket, key) = object.split_once('/').context("expected s3://bucket/key")?;
    let sha256 = sha256.context("a model in the object store needs its SHA-256 beside it")?;
    let folder = worker.scratch_dir.join("models");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let kept = folder.join(sha256);
    if hash(&kept).is_ok_and(|found| found == sha256) {
        return Ok(kept);
    }
    let store = Store::new(&S3Config {
        s3_bucket: bucket.to_owned(),
        ..worker.s3.clone()
    });
    // Under a name of its own until it is complete: another worker may share the folder.
    let partial = folder.join(format!("{sha256}-{}", std::process::id()));
    download(&store, key, &partial, sha256).await?;
    fs::rename(&partial, &kept)?;
    tracing::info!(model = %model.display(), "model fetched");
    Ok(kept)
}

async fn download(store: &Store, key: &str, path: &Path, sha256: &str) -> Result<()> {
    let mut told = false;
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
                if !told {
                    tracing::warn!("waiting for the object store: {error}");
                }
                told = true;
                tokio::time::sleep(PAUSE).await;
            }
            ended => return Ok(ended?),
        }
    }
}

/// Lower-case hexadecimal SHA-256 of a file.
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
    async fn a_model_comes_from_the_store_once_and_is_the_one_that_was_meant() {
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

        let kept = local(model, Some(sha256), &worker).await.unwrap();
        assert_eq!(fs::read(&kept).unwrap(), b"a model");
        let check = async |model: &str, sha256, expected: &str| {
            let error = local(Path::new(model), sha256, &worker).await.unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        };
        let other = "0".repeat(64);
        check("s3://models/whisper/base.bin", None, "needs its SHA-256").await;
        check("s3://models/whisper/base.bin", Some("../x"), "64 digits").await;
        check(
            "s3://models/whisper/base.bin",
            Some(&other),
            "not what was stored",
        )
        .await;
        check("s3://models/none.bin", Some(&other), "no object").await;
        check("s3://models", Some(&other), "s3://bucket/key").await;
        check(file.to_str().unwrap(), Some(&other), "its SHA-256 is").await;
        assert_eq!(local(&file, Some(sha256), &worker).await.unwrap(), file);

        // The second start needs the store no more.
        s3.stop();
        assert_eq!(local(model, Some(sha256), &worker).await.unwrap(), kept);
    }
}
