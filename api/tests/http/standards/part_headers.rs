//! Headers of form parts as clients write them (RFC 7578).

use crate::harness::Rig;
use reqwest::StatusCode;
use serde_json::Value;

/// Uploads a form whose file part has these headers, and returns the job.
async fn upload(rig: &Rig, disposition: &[u8], content_type: &str) -> Value {
    let head = format!("\r\nContent-Type: {content_type}\r\n\r\nsome bytes\r\n--x--\r\n");
    let start = b"--x\r\nContent-Disposition: form-data; name=\"file\"; ";
    let request = rig.http.post(rig.jobs_url());
    let request = request.header("content-type", "multipart/form-data; boundary=x");
    let body = [start.as_slice(), disposition, head.as_bytes()].concat();
    let answer = request.body(body).send().await.unwrap();
    let shown = String::from_utf8_lossy(disposition).into_owned();
    assert_eq!(answer.status(), StatusCode::ACCEPTED, "{shown}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn the_name_of_a_file_arrives_however_it_is_written() {
    let rig = Rig::new().await;
    for (disposition, expected) in [
        (
            "filename=\"=?utf-8?B?0L/RgNC40LLQtdGCLm1wNA==?=\"; filename*=utf-8''%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82.mp4",
            "привет.mp4",
        ),
        (
            "filename*=UTF-8''%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82.mp4",
            "привет.mp4",
        ),
        ("filename=\"=?utf-8?B?0L/RgNC40LLQtdGCLm1wNA==?=\"", "привет.mp4"),
        ("filename=\"=?UTF-8?Q?=D0=BF=D1=80_1.mp4?=\"", "пр 1.mp4"),
        ("filename=\"привет.mp4\"", "привет.mp4"),
        ("filename=\"a%22b;c.mp4\"", "a\"b;c.mp4"),
        ("filename=\"a\\\"b;c.mp4\"", "a\"b;c.mp4"),
        ("filename=\"a%0D%0Ab.mp4\"", "ab.mp4"),
        ("filename=\"C:\\films\\x.mp4\"", "x.mp4"),
        ("filename=\"C:\\\\films\\\\x.mp4\"", "x.mp4"),
        ("filename=50%.mp4", "50%.mp4"),
        ("filename=\"my%20film.mp4\"", "my%20film.mp4"),
        ("filename=\"%D0%BF%D1%80%20%281%29.mp4\"", "пр (1).mp4"),
    ] {
        let job = upload(&rig, disposition.as_bytes(), "video/mp4").await;
        assert_eq!(job["source"]["filename"], expected, "{disposition}");
    }
    let job = upload(&rig, b"filename=\"\xc9t\xe9.mp4\"", "video/mp4").await;
    assert_eq!(job["source"]["filename"], "Été.mp4");
}

#[tokio::test]
async fn the_type_of_a_browsers_recording_arrives() {
    let rig = Rig::new().await;
    for (content_type, expected) in [
        ("video/webm;codecs=vp8,opus", "video/webm;codecs=vp8,opus"),
        (
            "video/webm; codecs=\"vp8,opus\"",
            "video/webm;codecs=\"vp8,opus\"",
        ),
        ("Video/MP4", "video/mp4"),
        ("nonsense", "application/octet-stream"),
    ] {
        let job = upload(&rig, b"filename=\"rec.webm\"", content_type).await;
        assert_eq!(job["source"]["content_type"], expected, "{content_type}");
    }
}
