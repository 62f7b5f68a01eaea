//! Codes of languages: ISO 639 and BCP 47.

use crate::harness::Rig;
use reqwest::{StatusCode, multipart};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vidp_contract::{Stage, Work};

/// Codes that clients send, each with the code that VidP shows.
const CODES: [(&str, &str); 20] = [
    ("jv", "jv"),
    ("jw", "jv"),
    ("jav", "jv"),
    ("en-US", "en"),
    ("EN", "en"),
    ("eng", "en"),
    ("zh-CN", "zh"),
    ("zh-Hant", "zh"),
    ("zh_TW", "zh"),
    ("iw", "he"),
    ("nb", "no"),
    ("nb-NO", "no"),
    ("nn", "nn"),
    ("fil", "tl"),
    ("pt-BR", "pt"),
    ("deu", "de"),
    ("ger", "de"),
    ("yue", "zh"),
    ("haw", "haw"),
    ("es-419", "es"),
];
const UNKNOWN: [&str; 6] = ["xx", "klingon", "und", "en--US", "", "auto-en"];
const ACCEPTED: &str = "/api/v1/processing/supported-languages";

#[tokio::test]
async fn a_language_has_one_code_however_a_client_writes_it() {
    let rig = Rig::new().await;
    for (sent, expected) in CODES {
        let options = json!({ "stages": ["subtitle"], "subtitle": { "language": sent },
            "detect": { "expected_languages": [sent, "it"] } });
        let job = rig.submit(&options).await;
        assert_eq!(job["options"]["subtitle"]["language"], expected, "{sent}");
        assert_eq!(
            job["options"]["detect"]["expected_languages"],
            json!([expected, "it"])
        );
        let task = rig.pull(Stage::Subtitle).await.task;
        assert!(
            matches!(&task.work, Work::Subtitle(options) if options.language == expected),
            "{sent}"
        );
    }
    for sent in UNKNOWN {
        for options in [
            json!({ "subtitle": { "language": sent } }),
            json!({ "detect": { "expected_languages": ["fr", sent] } }),
        ] {
            let answer = rig.post_form(&options, b"some bytes".to_vec()).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{options}");
            let problem: Value = answer.json().await.unwrap();
            assert!(
                problem["detail"].as_str().unwrap().contains(ACCEPTED),
                "{problem}"
            );
        }
    }
}

#[tokio::test]
async fn forms_of_the_first_vidp_and_the_list_have_the_same_codes() {
    let rig = Rig::new().await;
    let form = async |language: &str| {
        let file = multipart::Part::bytes(b"some bytes".to_vec()).file_name("clip.mp4");
        let form = multipart::Form::new().text("language", language.to_owned());
        let url = format!("{}/api/v1/processing/subtitles", rig.url);
        let request = rig.http.post(url).multipart(form.part("video_file", file));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    for (sent, expected) in CODES {
        let (status, video) = form(sent).await;
        assert_eq!(status, 202, "{video}");
        let task = rig.pull(Stage::Subtitle).await.task;
        assert!(
            matches!(&task.work, Work::Subtitle(options) if options.language == expected),
            "{sent}"
        );
    }
    let (status, problem) = form("xx").await;
    assert_eq!(status, 400);
    assert!(
        problem["detail"].as_str().unwrap().contains(ACCEPTED),
        "{problem}"
    );

    let list = rig
        .http
        .get(format!("{}{ACCEPTED}", rig.url))
        .send()
        .await
        .unwrap();
    let list: Value = list.json().await.unwrap();
    let languages = list["languages"].as_array().unwrap();
    assert_eq!(list["total"], languages.len());
    let codes: BTreeSet<_> = languages
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert!(CODES.iter().all(|(_, code)| codes.contains(code)) && !codes.contains("jw"));
    assert!(languages.contains(&json!({ "code": "jv", "name": "Javanese" })));
}
