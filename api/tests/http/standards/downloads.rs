//! File names of downloads (RFC 6266).

use crate::harness::Rig;
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;
use vidp_contract::Stage;

#[tokio::test]
async fn a_download_is_named_after_its_source_in_any_script() {
    let rig = Rig::new().await;
    for (source, expected) in [
        (
            "休日.mp4",
            "filename=\"720p.mp4\"; filename*=UTF-8''%E4%BC%91%E6%97%A5-720p.mp4",
        ),
        (
            "Été à la mer.mov",
            "filename=\"tlamer-720p.mp4\"; filename*=UTF-8''%C3%89t%C3%A9%20%C3%A0%20la%20mer-720p.mp4",
        ),
        ("clip.mp4", "filename=\"clip-720p.mp4\""),
        (
            "a\"b\r\nx: y.mp4",
            "filename=\"abxy-720p.mp4\"; filename*=UTF-8''abx%3A%20y-720p.mp4",
        ),
    ] {
        let query = [("filename", source), ("options", r#"{"stages":["scale"]}"#)];
        let request = rig.http.post(rig.jobs_url()).query(&query);
        let request = request.header("content-type", "video/mp4").body("some bytes");
        let job: Value = request.send().await.unwrap().json().await.unwrap();
        let id = job["id"].as_str().unwrap();
        let pulled = rig.pull(Stage::Scale).await;
        rig.succeed(&pulled, json!({})).await;
        rig.until_job(id, |job| job["status"] == "succeeded").await;

        let url = format!("{}/{id}/outputs/scale/720p.mp4", rig.jobs_url());
        let whole = rig.http.get(&url).send().await.unwrap();
        let tag = whole.headers()["etag"].clone();
        let part = rig
            .http
            .get(&url)
            .header("range", "bytes=0-1")
            .send()
            .await
            .unwrap();
        let known = rig
            .http
            .get(&url)
            .header("if-none-match", tag)
            .send()
            .await
            .unwrap();
        for (answer, status) in [
            (&whole, StatusCode::OK),
            (&part, StatusCode::PARTIAL_CONTENT),
            (&known, StatusCode::NOT_MODIFIED),
        ] {
            assert_eq!(answer.status(), status, "{source}");
            let disposition = &answer.headers()["content-disposition"];
            assert_eq!(disposition.to_str().unwrap(), format!("inline; {expected}"));
        }

        let link = rig.http.get(format!("{url}/link")).send().await.unwrap();
        let link: Value = link.json().await.unwrap();
        let link = Url::parse(link["url"].as_str().unwrap()).unwrap();
        let signed = link
            .query_pairs()
            .find(|(name, _)| name == "response-content-disposition");
        assert_eq!(signed.unwrap().1, format!("attachment; {expected}"));
        let answer = reqwest::get(link).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let disposition = &answer.headers()["content-disposition"];
        assert_eq!(disposition.to_str().unwrap(), format!("attachment; {expected}"));
    }
}
