use crate::harness::Rig;
use serde_json::json;
use vidp_contract::Stage;

#[tokio::test]
async fn outputs_are_served_whole_and_in_part() {
    let rig = Rig::new().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let pulled = rig.pull(Stage::Scale).await;
    rig.succeed(&pulled, json!({})).await;
    let job = rig.until_job(id, |job| job["status"] == "succeeded").await;
    let output = &job["stages"]["scale"]["outputs"][0];
    let url = format!("{}{}", rig.url, output["url"].as_str().unwrap());
    let get = |headers: &[(&'static str, String)]| {
        let mut request = rig.http.get(&url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        async { request.send().await.unwrap() }
    };

    let whole = get(&[]).await;
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", output["sha256"].as_str().unwrap()));
    assert_eq!(
        (whole.status().as_u16(), &whole.headers()["content-type"]),
        (200, &"video/mp4".parse().unwrap())
    );
    assert_eq!(
        (
            &whole.headers()["content-length"],
            &whole.headers()["accept-ranges"]
        ),
        (&"10".parse().unwrap(), &"bytes".parse().unwrap())
    );
    assert_eq!(whole.bytes().await.unwrap(), "0123456789");

    let part = get(&[("range", "bytes=2-4".to_owned())]).await;
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 2-4/10".parse().unwrap())
    );
    assert_eq!(part.bytes().await.unwrap(), "234");
    let part = get(&[("range", "bytes=-3".to_owned()), ("if-range", tag.clone())]).await;
    assert_eq!(part.bytes().await.unwrap(), "789");
    let other = get(&[
        ("range", "bytes=-3".to_owned()),
        ("if-range", "\"other\"".to_owned()),
    ])
    .await;
    assert_eq!(other.status().as_u16(), 200);
    let beyond = get(&[("range", "bytes=10-".to_owned())]).await;
    assert_eq!(
        (beyond.status().as_u16(), &beyond.headers()["content-range"]),
        (416, &"bytes */10".parse().unwrap())
    );
    let known = get(&[("if-none-match", tag)]).await;
    assert_eq!(known.status().as_u16(), 304);
    let head = rig.http.head(&url).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"10".parse().unwrap())
    );

    let list = rig
        .http
        .get(format!("{}/{id}/outputs", rig.jobs_url()))
        .send()
        .await
        .unwrap();
    let list: serde_json::Value = list.json().await.unwrap();
    assert_eq!(
        (&list["data"][0]["name"], &list["data"][0]["stage"]),
        (&json!("720p.mp4"), &json!("scale"))
    );
    for name in [
        "scale/other",
        "detect/720p.mp4",
        "burn/720p.mp4",
        "scale/..%2f..%2fmanifest.json",
    ] {
        let missing = rig
            .http
            .get(format!("{}/{id}/outputs/{name}", rig.jobs_url()))
            .send()
            .await
            .unwrap();
        assert_eq!(missing.status().as_u16(), 404, "{name}");
    }
}

#[tokio::test]
async fn a_link_downloads_without_a_key_under_a_plain_name() {
    let rig = Rig::new().await;
    let job = rig.submit(&json!({ "stages": ["scale"] })).await;
    let id = job["id"].as_str().unwrap();
    let pulled = rig.pull(Stage::Scale).await;
    rig.succeed(&pulled, json!({})).await;
    rig.until_job(id, |job| job["status"] == "succeeded").await;
    let link = async |name: &str| {
        let url = format!("{}/{id}/outputs/scale/{name}", rig.jobs_url());
        let answer = rig.http.get(url).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<serde_json::Value>().await.unwrap(),
        )
    };
    let read = rig
        .http
        .get(format!("{}/{id}/outputs/scale/720p.mp4", rig.jobs_url()));
    assert_eq!(
        read.send().await.unwrap().headers()["content-disposition"],
        "inline; filename=\"clip-720p.mp4\""
    );
    let (status, body) = link("720p.mp4/link?seconds=60").await;
    assert_eq!(status, 200, "{body}");
    let url = body["url"].as_str().unwrap();
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(
        (
            &answer.headers()["content-disposition"],
            &answer.headers()["content-type"]
        ),
        (
            &"attachment; filename=\"clip-720p.mp4\"".parse().unwrap(),
            &"video/mp4".parse().unwrap()
        )
    );
    assert_eq!(answer.bytes().await.unwrap(), "0123456789");
    let forged = url.replace("720p.mp4", "720p.mp5");
    assert!(reqwest::get(forged).await.unwrap().status().is_client_error());
    assert_eq!(link("720p.mp4/link?seconds=0").await.0, 400);
    assert_eq!(link("other.mp4/link").await.0, 404);
}
