use crate::harness::{Rig, until};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};
use vidp_common::store::{Multipart, PutIfAbsent, Store, StoreError};
use vidp_contract::{Stage, hex};

/// Pseudo-random bytes, so that two swapped parts differ.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..size).map(next).collect()
}

#[tokio::test]
async fn files_come_back_as_they_went() {
    let rig = Rig::new().await;
    for size in [0, 1, 17 << 20] {
        let bytes = noise(size);
        let (there, back) = (rig.folder.path().join("there"), rig.folder.path().join("back"));
        std::fs::write(&there, &bytes).unwrap();
        let stored = rig.store.upload("a/file", &there, "video/mp4").await.unwrap();
        assert_eq!(
            (stored.size, stored.sha256.clone()),
            (size as u64, hex(&Sha256::digest(&bytes)))
        );
        rig.store
            .download("a/file", &back, stored.size, &stored.sha256)
            .await
            .unwrap();
        assert_eq!(std::fs::read(&back).unwrap(), bytes);
        let wrong = rig
            .store
            .download("a/file", &back, stored.size, &"0".repeat(64))
            .await;
        assert!(matches!(wrong, Err(StoreError::Corrupt { .. })), "{wrong:?}");
    }
    let missing = rig
        .store
        .download("nothing", &rig.folder.path().join("x"), 1, "")
        .await;
    assert!(matches!(missing, Err(StoreError::Missing { .. })), "{missing:?}");
}

/// Starts a proxy to the store that flips a bit of `text` in every response, and returns its URL.
async fn flipping(server: &str, text: &'static [u8]) -> String {
    let server = server.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let down = async {
                    let mut block = [0; 1 << 16];
                    while let Ok(read @ 1..) = from_server.read(&mut block).await {
                        if let Some(at) = block[..read].windows(text.len()).position(|found| found == text) {
                            block[at] ^= 0x40;
                        }
                        to_client.write_all(&block[..read]).await.unwrap();
                    }
                };
                tokio::select! {
                    _ = copy(&mut from_client, &mut to_server) => {}
                    () = down => {}
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_small_object_that_changes_on_its_way_is_not_believed() {
    let rig = Rig::new().await;
    rig.store
        .put_if_absent("k", b"{\"key\": \"outputs/a\"}".to_vec())
        .await
        .unwrap();
    let mut config = rig.config.clone();
    config.s3_endpoint = flipping(&config.s3_endpoint, b"outputs/a").await;
    let read = Store::new(&config).read("k").await;
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
    assert!(rig.store.read("k").await.unwrap().is_some());
}

#[tokio::test]
async fn the_first_writer_wins() {
    let rig = Rig::new().await;
    for _ in 0..2 {
        assert!(rig.store.honours_conditional_writes(Stage::Scale).await.unwrap());
    }
    assert_eq!(
        rig.store.put_if_absent("k", b"1".to_vec()).await.unwrap(),
        PutIfAbsent::Created
    );
    assert_eq!(
        rig.store.put_if_absent("k", b"2".to_vec()).await.unwrap(),
        PutIfAbsent::Exists
    );
    assert_eq!(rig.store.read("k").await.unwrap().unwrap(), b"1");
    assert_eq!(rig.store.read("other").await.unwrap(), None);
}

#[tokio::test]
async fn a_dropped_upload_leaves_nothing() {
    let rig = Rig::new().await;
    let mut upload = Multipart::start(&rig.store, "uploads/x/source", "video/mp4", 1 << 30)
        .await
        .unwrap();
    for _ in 0..6 {
        upload.write(Bytes::from(noise(1 << 20))).await.unwrap();
    }
    assert_eq!(rig.store.open_multiparts("uploads/x/").await.unwrap().len(), 1);
    drop(upload);
    until(async || rig.store.open_multiparts("uploads/x/").await.unwrap().is_empty()).await;
    assert_eq!(rig.store.size("uploads/x/source").await.unwrap(), None);
}

#[tokio::test]
async fn objects_are_listed_and_deleted_by_prefix() {
    let rig = Rig::new().await;
    for key in ["p/1", "p/2", "q/1"] {
        rig.store.put_if_absent(key, b"x".to_vec()).await.unwrap();
    }
    let listed = rig.store.list("p/").await.unwrap();
    assert_eq!(listed, ["p/1", "p/2"]);
    rig.store.delete_all(&listed).await.unwrap();
    assert!(rig.store.list("p/").await.unwrap().is_empty());
    assert_eq!(rig.store.list("q/").await.unwrap(), ["q/1"]);
}
