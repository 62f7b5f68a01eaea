//! Resumable uploads by tus-js-client, the published npm package.

use super::tus::film;
use crate::harness::{LIMIT, Rig, clients, node, until};
use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A proxy between a client and the API that cuts each connection after a number of bytes.
struct Cutter {
    port: u16,
    /// Bytes from clients that were passed on.
    passed: Arc<AtomicU64>,
}

impl Cutter {
    async fn start(target: String, cuts: impl Iterator<Item = usize> + Send + 'static) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicU64::new(0));
        let counted = passed.clone();
        let mut cuts = cuts;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let limit = cuts.next().unwrap_or(usize::MAX);
                tokio::spawn(carry(client, target.clone(), limit, counted.clone()));
            }
        });
        Cutter { port, passed }
    }
}

async fn carry(mut client: TcpStream, target: String, limit: usize, passed: Arc<AtomicU64>) {
    // While the API is down, the connection breaks.
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let (mut left, mut piece) = (limit, vec![0; 64 << 10]);
        loop {
            let length = from_client.read(&mut piece).await.unwrap_or(0).min(left);
            if length == 0 || to_server.write_all(&piece[..length]).await.is_err() {
                return;
            }
            passed.fetch_add(length as u64, Ordering::Relaxed);
            left -= length;
        }
    };
    let down = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::select! {
        () = up => {}
        _ = down => {}
    }
}

/// Uploads through connection cuts and a SIGKILL of the API; the source of the job must equal the file.
async fn survives(mode: &str, length: usize, seed: u64) {
    let mut rig = Rig::with(&[("VIDP_MAX_UPLOAD_MB", "40".to_owned())]).await;
    let film = film(length);
    let file = rig.folder.path().join("film.mp4");
    std::fs::write(&file, &film).unwrap();
    let mut state = seed;
    let random = std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some((state >> 33) as usize % (6 << 20))
    });
    let cutter = Cutter::start(rig.url.replace("http://", ""), random.take(12)).await;
    let client = node(clients("tus.cjs"))
        .arg(format!("http://127.0.0.1:{}/files", cutter.port))
        .arg(&file)
        .arg(mode)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until(async || cutter.passed.load(Ordering::Relaxed) > length as u64 / 3).await;
    rig.kill_api();
    rig.start_api().await;
    let ended = tokio::time::timeout(LIMIT * 2, client.wait_with_output()).await;
    let ended = ended.expect("the client ends").unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let url = String::from_utf8(ended.stdout).unwrap();
    let path = format!("/files/{}", url.trim().rsplit('/').next().unwrap());
    assert!(
        rig.source(&path).await == film,
        "the source differs from the file"
    );
    assert_eq!(rig.list("?external_id=tus").await.len(), 1);
    until(async || rig.objects().await.len() == 1).await;
}

#[tokio::test]
async fn tus_js_client_gets_a_file_through_cuts_and_a_restart() {
    survives("{}", 24 << 20, 20_261_127).await;
}

#[tokio::test]
async fn tus_js_client_gets_chunks_and_parallel_parts_through_cuts_and_a_restart() {
    survives(r#"{"chunkSize": 1500000}"#, 16 << 20, 7).await;
    survives(r#"{"parallelUploads": 3}"#, 24 << 20, 8).await;
}
