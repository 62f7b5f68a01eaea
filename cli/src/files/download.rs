//! Downloads of outputs.

use super::part::part_name;
use crate::client::{Client, Job, Output};
use anyhow::{Context, Result, ensure};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::path::Path;
use tokio::{
    fs::{self, File},
    io::{AsyncWriteExt, BufWriter},
};
use vidp_contract::hex;

/// Downloads every output of a job to `<dir>/<stage>/<name>` and returns their number.
pub async fn download_outputs(client: &Client, job: &Job, dir: &Path) -> Result<usize> {
    let mut count = 0;
    for (stage, state) in &job.stages {
        for output in &state.outputs {
            let folder = dir.join(file_name(stage)?);
            fs::create_dir_all(&folder)
                .await
                .with_context(|| folder.display().to_string())?;
            let path = folder.join(file_name(&output.name)?);
            download(client, output, &path)
                .await
                .with_context(|| format!("download {}", output.url))?;
            count += 1;
        }
    }
    Ok(count)
}

/// Writes to a `.part` file, checks size and hash, and renames: the file is complete, or absent.
async fn download(client: &Client, output: &Output, path: &Path) -> Result<()> {
    let part = part_name(path);
    let done = stream(client, output, &part).await;
    let done = match done {
        Ok(()) => fs::rename(&part, path).await.map_err(Into::into),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // The first error is the one to report.
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
        "received {size} bytes instead of {}",
        output.size
    );
    ensure!(
        hash == output.sha256,
        "the SHA-256 of the received bytes differs from that of the output"
    );
    Ok(())
}

/// Checks that a name from the server stays in its folder.
fn file_name(name: &str) -> Result<&str> {
    let parts: Vec<_> = Path::new(name).components().collect();
    let is_name = matches!(parts[..], [std::path::Component::Normal(part)] if part == name);
    ensure!(is_name, "the server sent the invalid file name {name:?}");
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_stay_in_their_folder() {
        assert!(file_name("720p.mp4").is_ok());
        for name in ["", ".", "..", "../a", "/a", "a/b", "a/"] {
            assert!(file_name(name).is_err(), "{name:?}");
        }
    }
}
