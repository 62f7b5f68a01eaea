//! Searches by names in every spelling.

use crate::harness::Rig;
use bson::doc;
use serde_json::json;

/// Uploads a file with this name, and returns the job's id.
async fn upload(rig: &Rig, name: &str) -> String {
    let query = [("filename", name), ("options", r#"{"stages":["scale"]}"#)];
    let request = rig.http.post(rig.jobs_url()).query(&query);
    let request = request.header("content-type", "video/mp4").body("some bytes");
    let job: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(job["source"]["filename"], name);
    job["id"].as_str().unwrap().to_owned()
}

/// The names of the files that a search finds, the newest first.
async fn search(rig: &Rig, text: &str) -> Vec<String> {
    let request = rig.http.get(rig.jobs_url()).query(&[("search", text)]);
    let page: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let jobs = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    let name = |job: &serde_json::Value| job["source"]["filename"].as_str().unwrap().to_owned();
    jobs.iter().map(name).collect()
}

#[tokio::test]
async fn a_file_is_found_by_each_spelling_of_its_name() {
    let rig = Rig::with(&[("VIDP_REQUESTS_PER_MINUTE", "0".to_owned())]).await;
    for (name, texts) in [
        (
            "Cafe\u{301} 1.mp4",
            &["Café", "cafe\u{301}", "CAFÉ", "café 1"][..],
        ),
        ("Zoë.mp4", &["Zo\u{65}\u{308}", "ZOË"]),
        ("STRASSE ß.mp4", &["straße", "strasse", "STRAẞE SS"]),
        ("İstanbul.mp4", &["istanbul", "ISTANBUL", "İSTANBUL", "ıstanbul"]),
        ("ＡＢＣ－１.mp4", &["abc-1", "ABC", "ａｂｃ"]),
        ("ΟΔΟΣ.mp4", &["οδος", "οδοσ", "δος"]),
        ("ﬁlm (1).mp4", &["film (1)", "FILM", "ilm"]),
        ("休日.mp4", &["休日", "休"]),
    ] {
        upload(&rig, name).await;
        for text in texts {
            assert!(
                search(&rig, text).await.contains(&name.to_owned()),
                "{name} by {text}"
            );
        }
    }
    for text in ["cafe", "nothing", ".*", "\u{ad}"] {
        assert!(search(&rig, text).await.is_empty(), "{text}");
    }
    // The client's own id is folded as well, and ids are found in capitals.
    let job = rig
        .submit(&json!({ "stages": ["scale"], "external_id": "Cafe\u{301}-7" }))
        .await;
    assert_eq!(search(&rig, "CAFÉ-7").await, ["clip.mp4"]);
    let id = job["id"].as_str().unwrap().to_uppercase();
    assert_eq!(search(&rig, &id).await, ["clip.mp4"]);
}

#[tokio::test]
async fn documents_of_earlier_releases_are_found_too() {
    let rig = Rig::without_sweeper().await;
    let id = upload(&rig, "Cafe\u{301} 1.mp4").await;
    upload(&rig, "Café 2.mp4").await;
    rig.stored("jobs", Some(doc! { "$unset": { "search": "" } }))
        .await;
    let both = ["Café 2.mp4", "Cafe\u{301} 1.mp4"];
    for text in ["Café", "Cafe\u{301}", "CAFÉ", ".mp4"] {
        assert_eq!(search(&rig, text).await, both, "{text}");
    }
    assert!(search(&rig, "ＣＡＦÉ").await.is_empty());
    // The next change folds the name.
    rig.post(&id, "cancel").await;
    assert_eq!(search(&rig, "ＣＡＦÉ").await, both[1..]);
}
