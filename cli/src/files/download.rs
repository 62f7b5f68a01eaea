//! Downloads of outputs.

use crate::{
    client::{Client, Job, Output},
    hash::hex,
};
use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tokio::{
    fs::{self, File},
    io::{AsyncWriteExt, BufWriter},
};

/// Downloads every output of a job to `<dir>/<stage>/<name>`, and returns how many there are.
pub async fn all(client: &Client, job: &Job, dir: &Path) -> Result<usize> {
    let mut count = 0;
    for (stage, state) in &job.stages {
        for output in &state.outputs {
            let folder = dir.join(plain(stage)?);
            fs::create_dir_all(&folder)
                .await
                .with_context(|| folder.display().to_string())?;
            let path = folder.join(plain(&output.name)?);
            one(client, output, &path)
                .await
                .with_context(|| format!("download {}", output.url))?;
            count += 1;
        }
    }
    Ok(count)
}

/// The text of one output.
pub async fn text(client: &Client, output: &Output) -> Result<String> {
    Ok(client.get(&output.url).await?.text().await?)
}

/// Writes under another name, checks size and hash, and renames: a file is there whole, or not at all.
async fn one(client: &Client, output: &Output, path: &Path) -> Result<()> {
    let part = part_name(path);
    let done = stream(client, output, &part).await;
    let done = match done {
        Ok(()) => fs::rename(&part, path).await.map_err(Into::into),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // The error that matters is the one above.
        let _ = fs::remove_file(&part).await;
    }
    done
}

async fn stream(client: &Client, output: &Output, part: &Path) -> Result<()> {
    let mut file = BufWriter::new(File::create(part).await?);
    let mut bytes = client.get(&output.url).await?.bytes_stream();
    let mut hash = Sha256::new();
    let mut size = 0;
    while let Some(chunk) = bytes.try_next().await? {
        hash.update(&chunk);
        size += chunk.len() as u64;
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    let hash = hex(&hash.finalize());
    ensure!(
        size == output.size,
        "{size} bytes came, {} were promised",
        output.size
    );
    ensure!(
        hash == output.sha256,
        "the bytes that came have another SHA-256 than was promised"
    );
    Ok(())
}

/// The name that a file has until it is whole.
pub fn part_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// A name that stays in its folder, whatever the server says.
fn plain(name: &str) -> Result<&str> {
    let parts: Vec<_> = Path::new(name).components().collect();
    let plain = matches!(parts[..], [std::path::Component::Normal(part)] if part == name);
    ensure!(plain, "the server gave the file name {name:?}");
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_stay_in_their_folder() {
        assert!(plain("720p.mp4").is_ok());
        for name in ["", ".", "..", "../a", "/a", "a/b", "a/"] {
            assert!(plain(name).is_err(), "{name:?}");
        }
    }
}
