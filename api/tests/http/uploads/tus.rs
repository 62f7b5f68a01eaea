//! Resumable uploads: the protocol, request by request.

use crate::harness::{Rig, until};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::json;
use sha2::{Digest, Sha256};
use vidp_contract::{Stage, hex, keys};

const PART: usize = 5 << 20;

impl Rig {
    fn tus(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        request.header("tus-resumable", "1.0.0")
    }

    /// Begins an upload, and returns its path.
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

    /// Appends bytes, and returns the status and the new offset.
    async fn append(&self, path: &str, offset: usize, bytes: &[u8]) -> (u16, Option<usize>) {
        let answer = self.patch(path, offset, bytes).send().await.unwrap();
        (answer.status().as_u16(), offset_of(answer.headers()))
    }

    async fn head(&self, path: &str) -> Response {
        self.tus(Method::HEAD, path).send().await.unwrap()
    }

    /// Waits until the upload is a job, and returns the bytes of its source.
    pub(super) async fn source(&self, path: &str) -> Vec<u8> {
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

    pub(super) async fn objects(&self) -> Vec<String> {
        self.store.list("uploads/").await.unwrap()
    }
}

fn offset_of(fields: &HeaderMap) -> Option<usize> {
    fields.get("upload-offset")?.to_str().unwrap().parse().ok()
}

/// Pseudo-random bytes, so that no two parts are equal.
pub(super) fn film(length: usize) -> Vec<u8> {
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
    // Small requests, one across the border of a part, and one to another process.
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
    // A client that missed the last response requests the offset, and finds the upload complete. The tails are gone.
    assert_eq!(offset_of(rig.head(&path).await.headers()), Some(film.len()));
    assert_eq!(rig.append(&path, film.len(), b"").await.0, 409);
    assert_eq!(rig.objects().await.len(), 1);
    // The upload can be deleted; the job stays.
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
    // A damaged body is discarded, and can be sent again.
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
    // Some clients can send neither PATCH nor DELETE.
    let overridden = rig
        .tus(Method::POST, &path)
        .header("x-http-method-override", "PATCH");
    let overridden = overridden.header("content-type", "application/offset+octet-stream");
    let answer = overridden
        .header("upload-offset", 3)
        .body("def")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), offset_of(answer.headers())),
        (204, Some(6))
    );
    let overridden = rig
        .tus(Method::POST, &path)
        .header("x-http-method-override", "DELETE");
    assert_eq!(overridden.send().await.unwrap().status(), 204);
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
    // The concatenation is refused until all parts are complete.
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
    // The parts are removed.
    until(async || rig.objects().await.len() == 2).await;
    assert_eq!(rig.head(&first).await.status(), 404);
    assert_eq!(rig.head(&second).await.status(), 404);
    // A partial upload does not become a job, and a final upload cannot be a part.
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
    // For the client the upload is complete.
    assert_eq!(offset_of(rig.head(&path).await.headers()), Some(3));
    let id = path.rsplit('/').next().unwrap();
    until(async || !rig.list("").await.is_empty()).await;
    assert_eq!(rig.source(&path).await, b"abc");
    assert_eq!(rig.list("").await[0]["id"], id);
}
