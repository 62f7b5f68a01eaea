//! Files that people upload by mistake, and files that attackers upload on purpose.

use crate::{
    media::{make, sample},
    stack::{shared, until},
};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Seconds within which a worker must refuse a file: the probe decodes next to nothing.
const MAX_PROCESS_SECONDS: f64 = 20.0;

/// Counts the connections that reach it.
fn canary() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, seen)
}

/// Status and code of each stage: `detect`, `scale`, `subtitle`.
fn stages(job: &Value) -> [String; 3] {
    ["detect", "scale", "subtitle"].map(|stage| {
        let state = &job["stages"][stage];
        match state["error"]["code"].as_str() {
            Some(code) => format!("{} {code}", state["status"].as_str().unwrap()),
            None => state["status"].as_str().unwrap().to_owned(),
        }
    })
}

async fn check(path: &Path, status: &str, expected: [&str; 3]) {
    let job = shared()
        .run(path, &json!({ "scale": { "renditions": ["144p"] } }))
        .await;
    let name = path.file_name().unwrap();
    assert_eq!(
        (job["status"].as_str().unwrap(), stages(&job)),
        (status, expected.map(str::to_owned)),
        "{name:?}: {job:#}"
    );
    for state in job["stages"]
        .as_object()
        .unwrap()
        .values()
        .filter(|state| state["status"] == "failed")
    {
        assert!(!state["error"]["detail"].as_str().unwrap().is_empty());
        assert!(
            state["timings"]["process"].as_f64().unwrap() < MAX_PROCESS_SECONDS,
            "{name:?}: {}",
            state["timings"]
        );
        // The detail is for people: it has no path of the server.
        assert!(
            !state["error"]["detail"].as_str().unwrap().contains('/'),
            "{}",
            state["error"]["detail"]
        );
    }
}

async fn check_all_fail(path: &Path, code: &str) {
    let failed = format!("failed {code}");
    check(path, "failed", [&failed, &failed, &failed]).await;
}

#[tokio::test]
async fn bad_files_get_their_code_and_stop_no_worker() {
    let stack = shared();
    let workers = || ["detect-1", "scale-1", "subtitle-1"].map(|name| stack.service(name)["pid"].clone());
    let before = workers();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };

    check_all_fail(
        &write("text.mp4", b"this is no video, whatever its name says\n"),
        "unsupported_media",
    )
    .await;
    let image = make(folder, "image.png", "-f lavfi -i testsrc=s=320x240 -frames:v 1");
    check_all_fail(&image, "unsupported_media").await;

    let (port, seen) = canary();
    let url = format!("http://127.0.0.1:{port}/secret.ts");
    let hls =
        format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n");
    let concat = format!("ffconcat version 1.0\nfile '{url}'\n");
    let dash = format!(
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         mediaPresentationDuration=\"PT10S\"><Period><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\" \
         bandwidth=\"1\"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    );
    for (name, text) in [("hls.mp4", hls), ("ffconcat.mp4", concat), ("dash.mp4", dash)] {
        check_all_fail(&write(name, text.as_bytes()), "unsupported_media").await;
    }
    assert_eq!(
        seen.load(Ordering::SeqCst),
        0,
        "a link of a playlist was followed"
    );

    // Cut in half: with the index at the end the file cannot be read; with the index first, half can be read, but the
    // job must fail too.
    let clip = sample("clip.mp4");
    let last = make(
        folder,
        "last.mp4",
        &format!("-i {} -c copy -movflags 0", clip.display()),
    );
    let first = make(
        folder,
        "first.mp4",
        &format!("-i {} -c copy -movflags +faststart", clip.display()),
    );
    for path in [&last, &first] {
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
    }
    check_all_fail(&last, "damaged_media").await;
    let job = stack
        .run(
            &first,
            &json!({ "stages": ["scale", "subtitle"], "scale": { "renditions": ["144p"] } }),
        )
        .await;
    assert_eq!(job["status"], "failed", "{job:#}");
    for stage in ["scale", "subtitle"] {
        assert_eq!(job["stages"][stage]["error"]["code"], "damaged_media", "{job:#}");
    }

    // Flipped bytes: the job succeeds with the whole video, or fails; never with a part of the video.
    let mut flipped = fs::read(&clip).unwrap();
    let length = flipped.len();
    for index in 0..200 {
        flipped[(length / 10) + (index * 7919) % (length * 8 / 10)] ^= 0x55;
    }
    let flipped = write("flipped.mp4", &flipped);
    let job = stack
        .run(
            &flipped,
            &json!({ "stages": ["scale"], "scale": { "renditions": ["144p"] } }),
        )
        .await;
    match job["status"].as_str().unwrap() {
        "succeeded" => {
            let made = job["stages"]["scale"]["result"]["renditions"][0]["duration"]
                .as_f64()
                .unwrap();
            let source = job["source"]["media"]["duration"].as_f64().unwrap();
            assert!((made - source).abs() <= (source * 0.01).max(0.5), "{job:#}");
        }
        _ => assert_eq!(
            job["stages"]["scale"]["error"]["code"], "damaged_media",
            "{job:#}"
        ),
    }

    check(
        &sample("speech/it.ogg"),
        "succeeded",
        ["succeeded", "skipped no_video", "succeeded"],
    )
    .await;
    let mute = make(
        folder,
        "mute.mp4",
        "-f lavfi -i testsrc=s=320x240:d=2 -pix_fmt yuv420p",
    );
    check(
        &mute,
        "succeeded",
        ["skipped no_audio", "succeeded", "skipped no_audio"],
    )
    .await;

    let long = make(
        folder,
        "day.mp4",
        "-f lavfi -i color=s=64x64:r=1/86400 -frames:v 1 -c:v libx264 -pix_fmt yuv420p",
    );
    check_all_fail(&long, "media_too_long").await;
    let large = make(
        folder,
        "large.avi",
        "-f lavfi -i color=s=16000x16000:d=0.04 -c:v mjpeg -frames:v 1",
    );
    check_all_fail(&large, "media_too_large").await;

    assert_eq!(workers(), before, "a worker died");
    let scratch = stack.folder.join("scratch");
    until(Duration::from_secs(5), async || {
        // Beside the files of its tasks, the folder of a worker has the file that it holds locked.
        let workers = fs::read_dir(&scratch).unwrap().flatten();
        let mut folders = workers.map(|entry| entry.path()).filter(|path| path.is_dir());
        folders.all(|folder| {
            let mut files = fs::read_dir(folder).unwrap().flatten();
            files.all(|file| file.file_name() == "lock")
        })
    })
    .await;
}

#[tokio::test]
async fn awkward_names_are_shown_and_never_used_as_paths() {
    let stack = shared();
    for name in [
        "../../../etc/passwd",
        "a \"quoted\" 'name'.mp4",
        "🎬 été — наш фильм.mp4",
        &"x".repeat(300),
        "-i.mp4",
        "$(id);.mp4",
    ] {
        let job = stack
            .submit(&sample("speech/en.ogg"), name, &json!({ "stages": ["detect"] }))
            .await;
        let job = stack.ended(&job["id"]).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
        let shown = job["source"]["filename"].as_str().unwrap();
        assert!(!shown.contains('/') && shown.chars().count() <= 255);
    }
}
