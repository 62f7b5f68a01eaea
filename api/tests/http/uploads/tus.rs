//! Resumable uploads: the protocol by hand, and tus-js-client as it is published on npm.

use crate::harness::{LIMIT, Rig, clients, node, until};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::json;
use sha2::{Digest, Sha256};
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
use vidp_contract::{Stage, hex, keys};

const PART: usize = 5 << 20;

impl Rig {
    fn tus(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        request.header("tus-resumable", "1.0.0")
    }

    /// Begins an upload; gives its path.
    async fn begin(&self, length: usize, fields: &[(&str, &str)]) -> String {
        let mut request = self.tus(Method::POST, "/files").header("upload-length", length);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    fn patch(&self, path: &str, offset: usize, bytes: &[u8]) -> RequestBuilder {
        self.tus(Method::PATCH, path)
            .header("content-type", "application/offset+octet-stream")
            .header("upload-offset", offset)
            .body(bytes.to_vec())
    }

    /// Sends bytes; gives the status and the new offset.
    async fn append(&self, path: &str, offset: usize, bytes: &[u8]) -> (u16, Option<usize>) {
        let answer = self.patch(path, offset, bytes).send().await.unwrap();
        (answer.status().as_u16(), offset_of(answer.headers()))
    }

    async fn head(&self, path: &str) -> Response {
        self.tus(Method::HEAD, path).send().await.unwrap()
    }

    /// What the job of an upload was made of.
    async fn source(&self, path: &str) -> Vec<u8> {
        let id = path.rsplit('/').next().unwrap();
        let job = self.until_job(id, |job| job["status"] != "uploading").await;
        assert_eq!(job["status"], "queued", "{job}");
        let bytes = self
            .store
            .read(&keys::source(id.parse().unwrap()))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(job["source"]["sha256"], hex(&Sha256::digest(&bytes)));
        assert_eq!(job["source"]["size"], bytes.len());
        bytes
    }

    async fn objects(&self) -> Vec<String> {
        self.store.list("uploads/").await.unwrap()
    }
}

fn offset_of(fields: &HeaderMap) -> Option<usize> {
    fields.get("upload-offset")?.to_str().unwrap().parse().ok()
}

/// Bytes of which no two parts are alike.
fn film(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

#[tokio::test]
async fn a_file_comes_in_pieces_of_any_size() {
    let mut rig = Rig::new().await;
    let film = film(PART + 300_000);
    let metadata = "filename w6l0w6kubXA0,filetype dmlkZW8vbXA0,options eyJzdGFnZXMiOlsic2NhbGUiXX0=";
    let path = rig.begin(film.len(), &[("upload-metadata", metadata)]).await;
    // Small ones, one over the border of a part, and one by another replica.
    let mut offset = 0;
    for length in [1000, 1, PART - 2000, 50_000] {
        let (status, reached) = rig.append(&path, offset, &film[offset..offset + length]).await;
        offset += length;
        assert_eq!((status, reached), (204, Some(offset)));
    }
    rig.kill_api();
    rig.start_api().await;
    let answer = rig.head(&path).await;
    let fields = answer.headers();
    assert_eq!(offset_of(fields), Some(offset));
    assert_eq!(fields["upload-length"], film.len().to_string());
    assert_eq!(fields["upload-metadata"], metadata);
    assert_eq!(fields["cache-control"], "no-store");
    assert_eq!(fields["tus-resumable"], "1.0.0");
    assert!(fields["upload-expires"].to_str().unwrap().ends_with(" GMT"));
    assert_eq!(
        rig.append(&path, offset, &film[offset..]).await,
        (204, Some(film.len()))
    );
    assert_eq!(rig.source(&path).await, film);
    let task = rig.pull(Stage::Scale).await.task;
    assert_eq!(task.source.size, film.len() as u64);
    let job = rig.job(path.rsplit('/').next().unwrap()).await;
    assert_eq!(job["source"]["filename"], "été.mp4");
    assert_eq!(job["source"]["content_type"], "video/mp4");
    // A client whose last answer got lost asks, and finds it complete. The tails are gone.
    assert_eq!(offset_of(rig.head(&path).await.headers()), Some(film.len()));
    assert_eq!(rig.append(&path, film.len(), b"").await.0, 409);
    assert_eq!(rig.objects().await.len(), 1);
    // The upload may go; the job stays.
    assert_eq!(rig.tus(Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(rig.head(&path).await.status(), 404);
    assert_eq!(rig.source(&path).await, film);
}

#[tokio::test]
async fn requests_that_are_not_of_the_protocol_are_refused() {
    let rig = Rig::new().await;
    let answer = rig
        .http
        .request(Method::OPTIONS, format!("{}/files", rig.url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["tus-version"], "1.0.0");
    assert_eq!(answer.headers()["tus-max-size"], 12_000_000.to_string());
    assert_eq!(answer.headers()["tus-checksum-algorithm"], "sha1,sha256");
    let extensions = answer.headers()["tus-extension"].to_str().unwrap();
    assert_eq!(
        extensions,
        "creation,creation-with-upload,termination,checksum,expiration,concatenation"
    );
    let check = async |request: RequestBuilder, status: u16, code: &str| {
        let answer = request.send().await.unwrap();
        let fields = answer.headers().clone();
        let found = answer.status().as_u16();
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{problem}");
        assert_eq!(fields["tus-resumable"], "1.0.0");
        fields
    };
    let post = || rig.tus(Method::POST, "/files");
    let old = rig
        .http
        .post(format!("{}/files", rig.url))
        .header("tus-resumable", "0.2.2");
    let fields = check(old, 412, "unsupported_version").await;
    assert_eq!(fields["tus-version"], "1.0.0");
    check(
        rig.http.post(format!("{}/files", rig.url)),
        412,
        "unsupported_version",
    )
    .await;
    check(post(), 400, "invalid_request").await;
    check(post().header("upload-length", "-1"), 400, "invalid_request").await;
    check(post().header("upload-length", "0"), 400, "unsupported_media").await;
    check(post().header("upload-length", 13 << 20), 413, "upload_too_large").await;
    check(
        post().header("upload-length", 9).body("plain"),
        415,
        "unsupported_content_type",
    )
    .await;
    let metadata = post()
        .header("upload-length", 9)
        .header("upload-metadata", "options W10=");
    check(metadata, 400, "invalid_request").await;

    let path = rig.begin(10, &[]).await;
    check(rig.patch(&path, 1, b"abc"), 409, "offset_mismatch").await;
    check(rig.patch(&path, 0, b"abcdefghijk"), 400, "invalid_request").await;
    let plain = rig
        .tus(Method::PATCH, &path)
        .header("upload-offset", 0)
        .body("abc");
    check(plain, 415, "unsupported_content_type").await;
    check(rig.patch("/files/1", 0, b"abc"), 404, "not_found").await;
    // A body that is not what it was: none of it is kept, and it may be sent again.
    let sum = "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=";
    let broken = rig.patch(&path, 0, b"abd").header("upload-checksum", sum);
    check(broken, 460, "checksum_mismatch").await;
    let other = rig
        .patch(&path, 0, b"abc")
        .header("upload-checksum", "crc32 AAAA");
    check(other, 400, "invalid_request").await;
    assert_eq!(offset_of(rig.head(&path).await.headers()), Some(0));
    let right = rig
        .patch(&path, 0, b"abc")
        .header("upload-checksum", sum)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (right.status().as_u16(), offset_of(right.headers())),
        (204, Some(3))
    );
    // Where neither PATCH nor DELETE can be sent.
    let instead = rig
        .tus(Method::POST, &path)
        .header("x-http-method-override", "PATCH");
    let instead = instead.header("content-type", "application/offset+octet-stream");
    let answer = instead
        .header("upload-offset", 3)
        .body("def")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), offset_of(answer.headers())),
        (204, Some(6))
    );
    let instead = rig
        .tus(Method::POST, &path)
        .header("x-http-method-override", "DELETE");
    assert_eq!(instead.send().await.unwrap().status(), 204);
    assert_eq!(rig.head(&path).await.status(), 404);
    check(rig.patch(&path, 6, b"ghij"), 404, "not_found").await;
    assert!(rig.objects().await.is_empty());
    assert!(rig.store.open_multiparts("uploads/").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_checksum_over_several_parts_keeps_all_or_nothing() {
    let rig = Rig::new().await;
    let film = film(2 * PART + 1000);
    let path = rig.begin(film.len(), &[]).await;
    let sum = |bytes: &[u8]| {
        use base64::{Engine, prelude::BASE64_STANDARD};
        format!("sha256 {}", BASE64_STANDARD.encode(Sha256::digest(bytes)))
    };
    let mut broken = film.clone();
    broken[100] ^= 1;
    let send = async |bytes: &[u8]| {
        let request = rig.patch(&path, 0, bytes).header("upload-checksum", sum(&film));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(&broken).await, 460);
    assert_eq!(offset_of(rig.head(&path).await.headers()), Some(0));
    assert_eq!(send(&film).await, 204);
    assert_eq!(rig.source(&path).await, film);
}

#[tokio::test]
async fn the_first_bytes_may_come_at_once_and_an_upload_of_others() {
    let rig = Rig::new().await;
    let film = film(40_000);
    let request = rig
        .tus(Method::POST, "/files")
        .header("upload-length", film.len())
        .header("content-type", "application/offset+octet-stream")
        .body(film.clone());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(offset_of(answer.headers()), Some(film.len()));
    let path = answer.headers()["location"].to_str().unwrap();
    assert_eq!(rig.source(path).await, film);

    let partial = [("upload-concat", "partial")];
    let (first, second) = (
        rig.begin(30_000, &partial).await,
        rig.begin(10_000, &partial).await,
    );
    assert_eq!(rig.append(&second, 0, &film[30_000..]).await.0, 204);
    let join = || {
        let both = format!("final;{first} {}{second}", rig.url);
        let request = rig.tus(Method::POST, "/files").header("upload-concat", both);
        request.header("upload-metadata", "filename YS5tcDQ=")
    };
    // Not before all of them are there.
    assert_eq!(join().send().await.unwrap().status(), 409);
    assert_eq!(rig.append(&first, 0, &film[..30_000]).await.0, 204);
    let with_length = join().header("upload-length", 40_000).send().await.unwrap();
    assert_eq!(with_length.status(), 400);
    let answer = join().send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let path = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(rig.source(&path).await, film);
    let head = rig.head(&path).await;
    let ids = [&first, &second].map(|path| path.as_str()).join(" ");
    assert_eq!(head.headers()["upload-concat"], format!("final;{ids}"));
    assert_eq!(rig.append(&path, 40_000, b"").await.0, 403);
    // The parts are not needed any more.
    until(async || rig.objects().await.len() == 2).await;
    assert_eq!(rig.head(&first).await.status(), 404);
    assert_eq!(rig.head(&second).await.status(), 404);
    // A part is no job, and neither is one of another kind a part.
    let whole = rig
        .tus(Method::POST, "/files")
        .header("upload-concat", format!("final;{path}"));
    assert_eq!(whole.send().await.unwrap().status(), 400);
    assert_eq!(rig.list("").await.len(), 2);
}

#[tokio::test]
async fn bytes_that_flip_on_their_way_from_the_store_get_into_no_file() {
    let rig = Rig::new().await;
    let path = rig.begin(6, &[]).await;
    assert_eq!(rig.append(&path, 0, b"abc").await.0, 204);
    let id = path.rsplit('/').next().unwrap().parse().unwrap();
    rig.store.put(&keys::tail(id, 3), "aBc".into()).await.unwrap();
    assert_eq!(rig.append(&path, 3, b"def").await.0, 503);
    rig.store.put(&keys::tail(id, 3), "abc".into()).await.unwrap();
    assert_eq!(rig.append(&path, 3, b"def").await, (204, Some(6)));
    assert_eq!(rig.source(&path).await, b"abcdef");
}

#[tokio::test]
async fn an_upload_that_nobody_goes_on_with_is_given_up() {
    let rig = Rig::with(&[("VIDP_DIRECT_UPLOAD_SECONDS", "2".to_owned())]).await;
    let path = rig.begin(10, &[]).await;
    assert_eq!(rig.append(&path, 0, b"abc").await.0, 204);
    assert_eq!(rig.objects().await.len(), 1);
    until(async || rig.head(&path).await.status() == 404).await;
    until(async || rig.objects().await.is_empty()).await;
    assert!(rig.store.open_multiparts("uploads/").await.unwrap().is_empty());
    assert!(rig.list("").await.is_empty());
}

#[tokio::test]
async fn what_was_complete_when_the_api_died_becomes_a_job() {
    let mut rig = Rig::with(&[("VIDP_CRASH_AT", "resumable.advanced".to_owned())]).await;
    let path = rig.begin(3, &[]).await;
    assert!(rig.patch(&path, 0, b"abc").send().await.is_err());
    rig.kill_api();
    rig.set_env("VIDP_CRASH_AT", None);
    rig.start_api().await;
    // The client takes it for done.
    assert_eq!(offset_of(rig.head(&path).await.headers()), Some(3));
    let id = path.rsplit('/').next().unwrap();
    until(async || !rig.list("").await.is_empty()).await;
    assert_eq!(rig.source(&path).await, b"abc");
    assert_eq!(rig.list("").await[0]["id"], id);
}

/// Between a client and the API; cuts connections after so many bytes each.
struct Cutter {
    port: u16,
    /// Bytes that came through from clients.
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

/// Uploads through cuts and, in between, a SIGKILL of the API; the job's source must be the file.
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
    assert!(rig.source(&path).await == film, "other bytes than were sent");
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
