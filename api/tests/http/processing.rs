use crate::harness::{Rig, french};
use reqwest::{Response, StatusCode, multipart};
use serde_json::{Value, json};
use vidp_contract::{Rendition, Stage, Work};

async fn post(rig: &Rig, kind: &str, fields: &[(&'static str, &'static str)]) -> Response {
    let mut form = multipart::Form::new();
    for (name, text) in fields {
        form = match *name {
            "video_file" => {
                let part = multipart::Part::bytes(text.as_bytes()).file_name("clip.mp4");
                form.part(*name, part.mime_str("video/mp4").unwrap())
            }
            name => form.text(name, *text),
        };
    }
    let url = format!("{}/api/v1/processing/{kind}", rig.url);
    rig.http.post(url).multipart(form).send().await.unwrap()
}

async fn get(rig: &Rig, path: &str) -> (StatusCode, Value) {
    let url = format!("{}/api/v1/processing/{path}", rig.url);
    let answer = rig.http.get(url).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn the_first_vidps_endpoints_are_views_of_jobs() {
    let rig = Rig::new().await;
    let answer = post(
        &rig,
        "language-detection",
        &[("duration", "12"), ("video_file", "bytes")],
    )
    .await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let video: Value = answer.json().await.unwrap();
    let id = video["video_id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/processing/language-detection/{id}"));
    assert_eq!(
        (
            &video["processing"],
            &video["status"],
            &video["filename"],
            &video["language"]
        ),
        (
            &json!("language-detection"),
            &json!("queued"),
            &json!("clip.mp4"),
            &Value::Null
        )
    );
    let detect = rig.pull(Stage::Detect).await;
    assert!(matches!(&detect.task.work, Work::Detect(options) if options.duration == 12.0));
    rig.succeed(&detect, french()).await;
    rig.until_job(id, |job| job["status"] == "succeeded").await;
    let path = format!("language-detection/{id}");
    let (_, video) = get(&rig, &path).await;
    assert_eq!(
        (
            &video["status"],
            &video["language"],
            &video["confidence"],
            &video["progress"]
        ),
        (&json!("succeeded"), &json!("fr"), &json!(0.97), &json!(1.0))
    );

    // Each kind lists its own jobs.
    let fields = [
        ("video_file", "bytes"),
        ("target_resolution", "854x480"),
        ("crf", "30"),
    ];
    let small: Value = post(&rig, "compression", &fields).await.json().await.unwrap();
    let scale = rig.pull(Stage::Scale).await;
    assert!(
        matches!(&scale.task.work, Work::Scale(options) if options.renditions == [Rendition::P480] && options.crf == 30)
    );
    let (_, list) = get(&rig, "compression").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&list["data"][0]["video_id"], &list["next_cursor"]),
        (&small["video_id"], &Value::Null)
    );
    let (_, list) = get(&rig, "language-detection?status=succeeded&limit=1").await;
    assert_eq!(list["data"], json!([video]));
    assert_eq!(get(&rig, "subtitles").await.1["data"], json!([]));
    let wrong = format!("compression/{id}");
    assert_eq!(get(&rig, &wrong).await.0, StatusCode::NOT_FOUND);

    rig.succeed(&scale, json!({})).await;
    let small = small["video_id"].as_str().unwrap();
    rig.until_job(small, |job| job["status"] == "succeeded").await;
    let (_, small) = get(&rig, &format!("compression/{small}")).await;
    let output = format!("{}{}", rig.url, small["outputs"][0]["url"].as_str().unwrap());
    let bytes = rig.http.get(output).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.as_ref(), b"0123456789");

    let fields = [("language", "fr"), ("video_file", "bytes")];
    let all: Value = post(&rig, "process-video", &fields).await.json().await.unwrap();
    let job = rig.job(all["video_id"].as_str().unwrap()).await;
    assert_eq!(job["stages"].as_object().unwrap().len(), 3);
    assert_eq!(job["options"]["subtitle"]["language"], "fr");
    // The endpoint that created the job does not matter.
    let job = rig.submit(&json!({ "stages": ["subtitle"] })).await;
    assert_eq!(get(&rig, "subtitles").await.1["data"][0]["video_id"], job["id"]);

    let (_, languages) = get(&rig, "supported-languages").await;
    let list = languages["languages"].as_array().unwrap();
    assert!(list.contains(&json!({ "code": "fr", "name": "French" })));
    assert_eq!(languages["total"], list.len());
}

#[tokio::test]
async fn wrong_forms_say_what_is_wrong() {
    let rig = Rig::new().await;
    let file = ("video_file", "bytes");
    for (fields, part) in [
        (vec![("crf", "30")], "video_file"),
        (vec![file, ("crf", "good")], "crf must be a number"),
        (vec![("crf", "99"), file], "scale.crf"),
        (vec![("target_resolution", "721p"), file], "721p"),
        (vec![("duration", "0"), file], "detect.duration"),
        (vec![("language", "klingon"), file], "unknown language"),
        (vec![("colour", "red"), file], "colour"),
        (vec![("crf", "20"), ("crf", "21"), file], "two parts"),
        (vec![file, file], "two parts"),
    ] {
        let answer = post(&rig, "process-video", &fields).await;
        let status = answer.status();
        let problem: Value = answer.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            status == StatusCode::BAD_REQUEST && detail.contains(part),
            "{fields:?}: {problem}"
        );
    }
    assert!(rig.list("?status=queued").await.is_empty());
    assert_eq!(
        post(&rig, "sharpening", &[file]).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(get(&rig, "sharpening").await.0, StatusCode::NOT_FOUND);
}
