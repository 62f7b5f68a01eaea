use super::{
    check::check,
    place::{Place, file_name},
    published::{self, Published},
};
use crate::{
    files::{hash, part::part_name},
    ui::progress,
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use indicatif::ProgressBar;
use reqwest::{Client, Response, StatusCode, header};
use sha1::{Digest, Sha1};
use std::{io, path::Path, time::Duration};
use tokio::{
    fs::{self, File, OpenOptions},
    io::AsyncWriteExt,
};
use vidp_contract::hex;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that is silent for this long is dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Arguments of `vidp model fetch`.
#[derive(Args)]
pub struct Fetch {
    /// Name of the model; `vidp model list --available` lists all
    #[arg(value_parser = by_name)]
    name: &'static Published,
    /// Address of the folder that has `ggml-<name>.bin`, for a mirror
    #[arg(long, value_name = "URL", default_value = published::SERVER)]
    from: String,
    #[command(flatten)]
    place: Place,
}

fn by_name(name: &str) -> Result<&'static Published, String> {
    let found = published::ALL.iter().find(|model| model.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = published::ALL.iter().map(|model| model.name).collect();
        format!("whisper.cpp publishes {}", names.join(", "))
    })
}

impl Fetch {
    /// Downloads the model, resumes an earlier download, and checks that it is the published file.
    pub(super) async fn run(self) -> Result<()> {
        let path = self.place.file(self.name.name)?;
        if path.is_file() {
            return self.place.report("exists already", &path);
        }
        let url = format!(
            "{}/{}",
            self.from.trim_end_matches('/'),
            file_name(self.name.name)
        );
        download(&url, self.name.sha1, &path).await?;
        self.place.report("fetched", &path)
    }
}

/// Downloads `url` to `path`.
///
/// The file `path.part` remains when the connection breaks, and the next download resumes it.
async fn download(url: &str, sha1: &str, path: &Path) -> Result<()> {
    let part = part_name(path);
    let mut hash = Sha1::new();
    let have = match hash::add_file(&part, &mut hash) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        have => have.with_context(|| part.display().to_string())?,
    };
    receive(url, &part, have, &mut hash).await.with_context(|| {
        format!(
            "download {url}; run the same command again to resume, or import a file that you have with `vidp model import`"
        )
    })?;
    if hex(&hash.finalize()) != sha1 {
        fs::remove_file(&part).await?;
        bail!("{url} is not the file that whisper.cpp publishes: its SHA-1 is not {sha1}");
    }
    check(&part)?;
    Ok(fs::rename(&part, path).await?)
}

/// Appends the bytes after the first `have`. Starts from the beginning when the server does not support ranges.
async fn receive(url: &str, part: &Path, mut have: u64, hash: &mut Sha1) -> Result<()> {
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_LIMIT)
        .build()?;
    let mut request = client.get(url);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let mut answer = request.send().await?;
    if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(()); // The file was complete.
    }
    answer = answer.error_for_status()?;
    let mut options = OpenOptions::new();
    if answer.status() == StatusCode::PARTIAL_CONTENT {
        options.append(true);
    } else {
        have = 0;
        hash.reset();
        options.write(true).truncate(true);
    }
    let mut file = options.create(true).open(part).await?;
    let rest = answer.content_length();
    let bar = rest.map_or_else(ProgressBar::hidden, |rest| {
        progress::bytes_bar("fetch", have + rest)
    });
    bar.inc(have);
    let received = append(&mut answer, &mut file, hash, &bar).await;
    // tokio writes in the background. Without this wait, the next try after a broken connection could hash and resume a
    // file to which the last bytes are still being written.
    file.flush().await?;
    let received = received?;
    ensure!(
        rest.is_none_or(|rest| rest == received),
        "the connection ended before the file did"
    );
    bar.finish_and_clear();
    Ok(())
}

/// Writes the body of an answer to the end of a file. Returns the number of its bytes.
async fn append(answer: &mut Response, file: &mut File, hash: &mut Sha1, bar: &ProgressBar) -> Result<u64> {
    let mut received = 0;
    while let Some(bytes) = answer.chunk().await? {
        file.write_all(&bytes).await?;
        hash.update(&bytes);
        bar.inc(bytes.len() as u64);
        received += bytes.len() as u64;
    }
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncBufReadExt, BufReader},
        net::TcpListener,
    };

    /// A server of one file that sends at most half of it per connection.
    async fn server(file: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/m.bin", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let mut socket = BufReader::new(listener.accept().await.unwrap().0);
                let mut from = 0;
                loop {
                    let mut line = String::new();
                    socket.read_line(&mut line).await.unwrap();
                    if let Some(range) = line.strip_prefix("range: bytes=") {
                        from = range.trim_end().trim_end_matches('-').parse().unwrap();
                    }
                    if line.trim_end().is_empty() {
                        break;
                    }
                }
                let status = if from == 0 {
                    "200 OK"
                } else {
                    "206 Partial Content"
                };
                let length = file.len() - from;
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
                socket.write_all(head.as_bytes()).await.unwrap();
                let sent = length.min(file.len() / 2 + 1);
                socket.write_all(&file[from..from + sent]).await.unwrap();
            }
        });
        url
    }

    #[tokio::test]
    async fn a_broken_download_resumes_and_a_wrong_file_is_removed() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let model = super::super::check::tests::tiny();
        let sha1 = hex(&Sha1::digest(&model));
        let url = server(model.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ggml-tiny.bin");
        let part = folder.path().join("ggml-tiny.bin.part");

        let error = download(&url, &sha1, &path).await.unwrap_err();
        assert!(format!("{error:#}").contains("to resume"), "{error:#}");
        assert!(part.is_file() && !path.exists());
        download(&url, &sha1, &path).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), model);
        assert!(!part.exists());

        std::fs::remove_file(&path).unwrap();
        std::fs::write(&part, vec![0; model.len() / 2 + 1]).unwrap();
        let error = download(&url, &sha1, &path).await.unwrap_err();
        assert!(format!("{error:#}").contains("SHA-1"), "{error:#}");
        assert!(!part.exists() && !path.exists());
    }
}
