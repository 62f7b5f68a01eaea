//! Models, speech and other sounds for the tests.

use crate::{audio::track::Track, config::EngineConfig, model::engine::Engine};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use vidp_common::process::{self, Limits};
use vidp_worker::ffmpeg::{Input, MediaLimits, Tools};

/// A media file. A file that the test made is removed when the value is dropped.
pub(crate) struct Media {
    /// Path of the file.
    pub(crate) path: PathBuf,
    _folder: Option<TempDir>,
}

impl Media {
    /// Makes a file with ffmpeg from `args`.
    pub(crate) async fn make<A: AsRef<OsStr>>(args: &[A], extension: &str) -> Media {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("media").with_extension(extension);
        let quiet = ["-nostdin", "-v", "error"].map(OsStr::new);
        let args = quiet
            .into_iter()
            .chain(args.iter().map(AsRef::as_ref))
            .chain([path.as_os_str()]);
        let limits = Limits {
            wall: Duration::from_secs(120),
            cpu: Duration::from_secs(120),
            memory: 4 << 30,
            file_size: 1 << 30,
            network: false,
        };
        process::capture(
            Path::new("ffmpeg"),
            args,
            limits,
            0,
            &CancellationToken::new(),
            |_| {},
        )
        .await
        .unwrap();
        Media {
            path,
            _folder: Some(folder),
        }
    }
}

/// Folder of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Path of a file in the samples of speech.
fn speech(code: &str, extension: &str) -> PathBuf {
    root().join("samples/speech").join(code).with_extension(extension)
}

/// Half a minute of recorded speech in the language `code`.
pub(crate) fn sample(code: &str) -> Media {
    Media {
        path: speech(code, "ogg"),
        _folder: None,
    }
}

/// The reference text of the sample.
pub(crate) fn reference(code: &str) -> String {
    std::fs::read_to_string(speech(code, "txt")).unwrap()
}

/// The first `seconds` of the sample.
pub(crate) async fn sound(code: &str, seconds: f64) -> Vec<f32> {
    let (engine, media) = (engine(), sample(code));
    let track = Track {
        tools: &engine.tools,
        limits: &engine.limits,
        input: Input::File(&media.path),
        stream: 0,
    };
    let piece = track
        .piece(0.0, seconds, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(piece.samples.len(), (seconds * 16_000.0) as usize);
    piece.samples
}

/// The sample, repeated `times` times. An `mp4` also has a picture, and its index precedes the media.
pub(crate) async fn repeated(code: &str, times: usize, extension: &str) -> Media {
    let (loops, path) = ((times - 1).to_string(), speech(code, "ogg"));
    let mut args: Vec<&OsStr> = ["-stream_loop", &loops, "-i"].map(OsStr::new).to_vec();
    args.push(path.as_os_str());
    if extension == "mp4" {
        let picture = [
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=160x90:rate=5",
            "-shortest",
            "-preset",
            "ultrafast",
        ];
        args.extend(picture.map(OsStr::new));
        args.extend(["-c:a", "aac", "-movflags", "+faststart"].map(OsStr::new));
    }
    Media::make(&args, extension).await
}

/// A melody of 40 s, followed by the sample.
pub(crate) async fn tones_then(code: &str) -> Media {
    let path = speech(code, "ogg");
    let melody = "aevalsrc='0.3*sin(2*PI*t*(220+110*mod(floor(t*4),5)))':duration=40:sample_rate=16000";
    let mut args: Vec<&OsStr> = ["-f", "lavfi", "-i", melody, "-i"].map(OsStr::new).to_vec();
    args.push(path.as_os_str());
    args.extend(["-filter_complex", "[0][1]concat=n=2:v=0:a=1"].map(OsStr::new));
    Media::make(&args, "ogg").await
}

/// Settings with the paths of the models.
pub(crate) fn config() -> EngineConfig {
    let path = |variable: &str, name: &str| match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => root().join(".engines/models").join(name),
    };
    EngineConfig {
        whisper_model: path("VIDP_WHISPER_MODEL", "ggml-base-q8_0.bin"),
        whisper_model_sha256: None,
        vad_model: path("VIDP_VAD_MODEL", "silero-vad.bin"),
        vad_model_sha256: None,
        threads: Some(1),
        tools: Tools::default(),
        limits: MediaLimits::default(),
    }
}

/// The engine, which all tests share.
pub(crate) fn engine() -> Arc<Engine> {
    static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| {
        let engine = Engine::load(&config(), 1);
        Arc::new(engine.unwrap_or_else(|error| panic!("{error:#}\n`make setup` creates the models")))
    });
    ENGINE.clone()
}

/// A web server for one file. It stops when the value is dropped.
pub(crate) struct Server {
    /// URL of the file.
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

/// Serves a file, completely or by range, as an object store does.
pub(crate) async fn serve(path: &Path) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/object?signature=x", listener.local_addr().unwrap());
    let path = path.to_owned();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut clients = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let path = path.clone();
            clients.spawn(async move { answer(client, &path).await.unwrap_or_default() });
        }
    });
    Server { url, _tasks: tasks }
}

/// Answers one request.
async fn answer(client: TcpStream, path: &Path) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut file = tokio::fs::File::open(path).await?;
    let size = file.metadata().await?.len();
    let (mut from, mut line) = (0, String::new());
    while client.read_line(&mut line).await? > 2 {
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim().trim_end_matches('-').parse().unwrap_or(0);
        }
        line.clear();
    }
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nAccept-Ranges: bytes\r\nContent-Range: bytes {from}-{}/{size}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        size - 1,
        size - from
    );
    client.write_all(head.as_bytes()).await?;
    file.seek(std::io::SeekFrom::Start(from)).await?;
    tokio::io::copy(&mut file.take(size), client.get_mut()).await?;
    Ok(())
}
