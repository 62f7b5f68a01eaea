use crate::{
    media::{duration, make, probe, sample, word_errors},
    stack::{shared, vidp},
};
use serde_json::{Value, json};

fn names(job: &Value, stage: &str) -> Vec<String> {
    let outputs = job["stages"][stage]["outputs"].as_array().unwrap();
    let mut names: Vec<_> = outputs
        .iter()
        .map(|output| output["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn detect_finds_the_language_of_each_sample() {
    let stack = shared();
    for language in ["en", "fr", "es", "it", "ru"] {
        let options = json!({ "stages": ["detect"], "detect": { "test_all_languages": false } });
        let job = stack
            .run(&sample(&format!("speech/{language}.ogg")), &options)
            .await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
        let result = &job["stages"]["detect"]["result"];
        assert_eq!(result["language"]["code"], language, "{result:#}");
        assert_eq!(result["probabilities"].as_array().unwrap().len(), 5);
        assert!(result["confidence"].as_f64().unwrap() > 0.5);
        assert!(result["bytes_read"].as_u64().unwrap() > 1000);
        assert!(!result["windows"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn detect_skips_music_and_files_without_speech() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    let music = "-f lavfi -i sine=f=330:d=40,tremolo=f=3 -i ";
    let joined = " -filter_complex [0:a]aresample=16000[m];[1:a]aresample=16000[s];[m][s]concat=n=2:v=0:a=1 -c:a libopus";
    let film = format!("{music}{}{joined}", sample("speech/fr.ogg").display());
    let film = make(folder.path(), "film.webm", &film);
    let job = stack.run(&film, &json!({ "stages": ["detect"] })).await;
    assert_eq!(
        job["stages"]["detect"]["result"]["language"]["code"], "fr",
        "{job:#}"
    );
    assert_eq!(
        job["stages"]["detect"]["result"]["probabilities"]
            .as_array()
            .unwrap()
            .len(),
        99
    );

    let silent = make(
        folder.path(),
        "noise.wav",
        "-f lavfi -i anoisesrc=d=20:c=pink:a=0.3 -ar 16000",
    );
    let job = stack
        .run(&silent, &json!({ "stages": ["detect", "subtitle"] }))
        .await;
    assert_eq!(job["status"], "succeeded");
    for stage in ["detect", "subtitle"] {
        assert_eq!(job["stages"][stage]["status"], "skipped", "{job:#}");
        assert_eq!(job["stages"][stage]["error"]["code"], "no_speech");
    }
}

#[tokio::test]
async fn scale_makes_the_ladder_and_previews() {
    let stack = shared();
    let options = json!({ "stages": ["scale"], "scale": { "renditions": ["1080p", "480p", "240p"] } });
    let job = stack.run(&sample("clip.mp4"), &options).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let source = probe(&sample("clip.mp4"));
    let result = &job["stages"]["scale"]["result"];
    assert_eq!(result["media"]["video"]["height"], 720);
    assert_eq!(job["source"]["media"], result["media"]);
    let folder = tempfile::tempdir().unwrap();
    for rendition in result["renditions"].as_array().unwrap() {
        let name = rendition["name"].as_str().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, stack.output(&job, "scale", name).await).unwrap();
        let made = probe(&path);
        assert!((duration(&made) - duration(&source)).abs() < 0.5, "{name}");
        let video = made["streams"]
            .as_array()
            .unwrap()
            .iter()
            .find(|s| s["codec_type"] == "video")
            .unwrap();
        assert_eq!(
            (&video["width"], &video["height"]),
            (&rendition["width"], &rendition["height"])
        );
        assert_eq!(
            (&video["codec_name"], &rendition["video_codec"]),
            (&json!("h264"), &json!("h264"))
        );
        // Never enlarged.
        assert!(video["height"].as_u64().unwrap() <= 720);
    }
    let names = names(&job, "scale");
    for name in [
        "240p.mp4",
        "480p.mp4",
        "poster.jpg",
        "storyboard.jpg",
        "storyboard.vtt",
    ] {
        assert!(names.iter().any(|other| other == name), "{name}: {names:?}");
    }
}

#[tokio::test]
async fn subtitle_writes_the_spoken_words() {
    let stack = shared();
    let spoken = std::fs::read_to_string(sample("speech/en.txt")).unwrap();
    let formats = json!(["srt", "vtt", "json", "txt"]);
    let options = json!({ "stages": ["subtitle"], "subtitle": { "language": "en", "formats": formats } });
    let job = stack.run(&sample("speech/en.ogg"), &options).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let text = String::from_utf8(stack.output(&job, "subtitle", "transcript.txt").await).unwrap();
    assert!(word_errors(&spoken, &text) < 0.25, "{text}");
    let srt = String::from_utf8(stack.output(&job, "subtitle", "subtitles.srt").await).unwrap();
    assert!(srt.starts_with("1\n00:00:0") && srt.contains(" --> "), "{srt}");
    let vtt = String::from_utf8(stack.output(&job, "subtitle", "subtitles.vtt").await).unwrap();
    assert!(vtt.starts_with("WEBVTT\n"), "{vtt}");
    let transcript: Value =
        serde_json::from_slice(&stack.output(&job, "subtitle", "transcript.json").await).unwrap();
    assert!(
        transcript["segments"][0]["words"][0]["start"].is_number(),
        "{transcript:#}"
    );
    let result = &job["stages"]["subtitle"]["result"];
    assert_eq!(result["language"], json!({ "code": "en", "name": "English" }));
    assert!(result["rules_kept"].as_f64().unwrap() > 0.5);
}

#[tokio::test]
async fn all_stages_in_one_job() {
    let stack = shared();
    let job = stack.run(&sample("clip.mp4"), &json!({})).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert_eq!(job["stages"]["detect"]["result"]["language"]["code"], "en");
    assert_eq!(job["stages"]["subtitle"]["result"]["language"]["code"], "en");
    assert_eq!(
        names(&job, "subtitle"),
        ["subtitles.srt", "subtitles.vtt", "transcript.json"]
    );
    let transcript: Value =
        serde_json::from_slice(&stack.output(&job, "subtitle", "transcript.json").await).unwrap();
    let segments = transcript["segments"].as_array().unwrap();
    let text: String = segments
        .iter()
        .map(|segment| format!("{} ", segment["text"].as_str().unwrap()))
        .collect();
    let spoken = std::fs::read_to_string(sample("clip.txt")).unwrap();
    assert!(word_errors(&spoken, &text) < 0.25, "{text}");
    for stage in ["detect", "scale", "subtitle"] {
        let state = &job["stages"][stage];
        assert_eq!(
            (&state["status"], &state["attempt"], &state["progress"]),
            (&json!("succeeded"), &json!(1), &json!(1.0))
        );
        assert!(state["timings"]["process"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn the_command_line_submits_waits_and_downloads() {
    let stack = shared();
    let folder = tempfile::tempdir().unwrap();
    let mut submit = vidp();
    submit.args([
        "submit",
        "--server",
        &stack.url,
        "--stages",
        "detect,scale",
        "--renditions",
        "144p",
    ]);
    submit
        .args(["--wait", "--json", "--out"])
        .arg(folder.path())
        .arg(sample("clip.mp4"));
    let done = submit.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let job: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(job["status"], "succeeded");
    assert_eq!(job["stages"]["detect"]["result"]["language"]["code"], "en");
    assert!(folder.path().join("scale/144p.mp4").exists());
    let files = folder.path().join("again");
    let id = job["id"].as_str().unwrap();
    let got = vidp()
        .args(["get", id, "--server", &stack.url, "--out"])
        .arg(&files)
        .output()
        .unwrap();
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
    for output in job["stages"]["scale"]["outputs"].as_array().unwrap() {
        let file = files.join("scale").join(output["name"].as_str().unwrap());
        assert_eq!(
            std::fs::metadata(file).unwrap().len(),
            output["size"].as_u64().unwrap()
        );
    }

    let text = folder.path().join("text.mp4");
    std::fs::write(&text, "this is no video").unwrap();
    let mut submit = vidp();
    submit
        .args(["submit", "--server", &stack.url, "--wait", "--json"])
        .arg(&text);
    let done = submit.output().unwrap();
    assert_eq!(done.status.code(), Some(4), "a failed job has its own exit code");
    let job: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(job["stages"]["scale"]["error"]["code"], "unsupported_media");
    let missing = vidp()
        .args(["submit", "--server", &stack.url, "nothing.mp4"])
        .output()
        .unwrap();
    assert!(!missing.status.success() && !missing.stderr.is_empty());
}
