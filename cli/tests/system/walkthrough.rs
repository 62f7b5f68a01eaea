//! Runs the script of docs/api.md, unchanged, on the whole system with keys.

use crate::{
    media::sample,
    stack::{LIMIT, Stack, up, vidp},
};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use serde_json::Value;
use std::{fs, path::Path};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

const ADMIN_KEY: &str =
    "vidp_fedcba9876543210fedcba9876543210_0123456789abcdef0123456789abcdef0123456789abcdef";

/// The blocks of the document that are marked as parts of the script.
fn script() -> String {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md")).unwrap();
    let blocks = document.split("```sh\n# walk-through\n").skip(1);
    let blocks: Vec<_> = blocks.map(|block| block.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 5);
    blocks.concat()
}

/// A receiver of webhooks.
async fn receiver() -> (String, mpsc::UnboundedReceiver<(HeaderMap, Value)>) {
    type Sender = mpsc::UnboundedSender<(HeaderMap, Value)>;
    async fn take(State(sender): State<Sender>, headers: HeaderMap, body: Bytes) {
        let _ = sender.send((headers, serde_json::from_slice(&body).unwrap()));
    }
    let (sender, received) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(take)).with_state(sender);
    tokio::spawn(async { axum::serve(listener, router).await });
    (url, received)
}

#[tokio::test]
async fn the_walk_through_of_the_document_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = up(&data, 0);
    command
        .args(["--scale-workers=1", "--detect-workers=1", "--subtitle-workers=0"])
        .env("VIDP_AUTH", "keys")
        .env("VIDP_KEY_SECRET", "a secret that only this test knows")
        .env("VIDP_ADMIN_KEY", ADMIN_KEY)
        // By default, receivers in private networks are refused.
        .env("VIDP_OUTBOUND_ALLOW", "127.0.0.1/32");
    let stack = Stack::start_as(&data, command);
    let mut create = vidp();
    create
        .args(["keys", "create", "shop", "--tenant", "acme"])
        .env("VIDP_SERVER", &stack.url)
        .env("VIDP_API_KEY", ADMIN_KEY);
    let key = String::from_utf8(create.output().unwrap().stdout).unwrap();
    let (receiver, mut received) = receiver().await;

    let run = tokio::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script()])
        .current_dir(folder.path())
        .env("VIDP", &stack.url)
        .env("KEY", key.trim())
        .env("RECEIVER", &receiver)
        .env("VIDEO", sample("clip.mp4"))
        .output();
    let run = timeout(LIMIT, run).await.unwrap().unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{output}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    assert_eq!(output.trim(), "succeeded");

    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let json = |name: &str| serde_json::from_str::<Value>(&read(name)).unwrap();
    assert_eq!(
        json("job.json")["stages"]["detect"]["result"]["language"]["code"],
        "en"
    );
    assert!(read("events.txt").matches("event: status").count() > 2);
    let outputs = json("outputs.json");
    let listed = outputs["data"].as_array().unwrap().iter();
    let size = listed
        .clone()
        .find(|output| output["name"] == "144p.mp4")
        .unwrap()["size"]
        .clone();
    assert_eq!(
        fs::metadata(folder.path().join("144p.mp4")).unwrap().len(),
        size.as_u64().unwrap()
    );

    let (headers, message) = timeout(LIMIT, received.recv()).await.unwrap().unwrap();
    assert!(headers.contains_key("webhook-signature"));
    assert_eq!(
        (&message["type"], &message["data"]["id"]),
        (&"job.succeeded".into(), &json("job.json")["id"])
    );
    assert!(json("deliveries.json")["data"].is_array());
}
