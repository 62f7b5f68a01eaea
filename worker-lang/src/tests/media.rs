//! Models, speech and other sounds for the tests.

use crate::{
    audio::{
        mix::{Ear, Mixer},
        track::Track,
    },
    config::EngineConfig,
    model::engine::Engine,
};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vidp_common::{
    config::S3Config,
    process::{self, Access, Limits},
    store::{Ranges, Store},
};
use vidp_engines::S3;
use vidp_worker::ffmpeg::{AudioDetails, Input, MediaLimits, Tools, probe};

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
        };
        process::capture(
            Path::new("ffmpeg"),
            args,
            limits,
            // Inputs of the arguments may be in the folder of another file.
            &Access::reading(&root().join("samples")).and_writing(&std::env::temp_dir()),
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

    /// Makes a file with ffmpeg from arguments that are separated by spaces. `{en}` is the path of the English sample.
    pub(crate) async fn of(args: &str, extension: &str) -> Media {
        let path = |code| speech(code, "ogg").display().to_string();
        let fill = |arg: &str| arg.replace("{en}", &path("en")).replace("{fr}", &path("fr"));
        Media::make(&args.split_whitespace().map(fill).collect::<Vec<_>>(), extension).await
    }

    /// The bytes of two files, one after the other, as recorders of broadcasts write them.
    pub(crate) fn followed_by(&self, next: &Media) -> Media {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(self.path.file_name().unwrap());
        let bytes = [&self.path, &next.path].map(|path| std::fs::read(path).unwrap());
        std::fs::write(&path, bytes.concat()).unwrap();
        Media {
            path,
            _folder: Some(folder),
        }
    }

    /// The same streams in another container.
    pub(crate) async fn copied_to(&self, extension: &str) -> Media {
        let input = self.path.as_os_str();
        let args = [
            OsStr::new("-i"),
            input,
            OsStr::new("-map"),
            OsStr::new("0"),
            OsStr::new("-c"),
            OsStr::new("copy"),
        ];
        Media::make(&args, extension).await
    }

    /// The whole of an audio track as the stages hear it.
    pub(crate) async fn heard(&self) -> Vec<f32> {
        let (engine, never) = (engine(), CancellationToken::new());
        let input = Input::File(&self.path);
        let probe = probe(&engine.tools, input, &engine.limits, &never).await.unwrap();
        let track = Track {
            tools: &engine.tools,
            limits: &engine.limits,
            input,
            audio: &probe.audio[0],
            ear: Ear::Mix,
        };
        let (blocks, mut waiting) = mpsc::channel(1);
        let mut mixer = Mixer::new(Ear::Mix);
        let mut heard = Vec::new();
        let reading = async {
            while let Some(sound) = waiting.recv().await {
                heard.extend(mixer.mix(sound));
            }
        };
        let (decoded, ()) = tokio::join!(track.stream(probe.facts.duration, blocks, &never), reading);
        assert_eq!(decoded.unwrap().frames, heard.len());
        heard
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
        audio: &AudioDetails::default(),
        ear: Ear::Mix,
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
        Arc::new(engine.unwrap_or_else(|error| panic!("{error:#}\n`make models` creates the models")))
    });
    ENGINE.clone()
}

/// A store with a file as the object `source`, and its ranges.
pub(crate) struct Served {
    pub(crate) ranges: Ranges,
    /// The server; a test may stop it.
    pub(crate) server: S3,
    _folder: TempDir,
}

/// Puts a file into a separate store.
pub(crate) async fn serve(path: &Path) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let server = S3::start(folder.path(), 0).unwrap();
    let store = Store::new(&S3Config {
        s3_endpoint: server.endpoint(),
        s3_region: "us-east-1".to_owned(),
        s3_bucket: "vidp".to_owned(),
        s3_access_key: server.access_key().to_owned(),
        s3_secret_key: server.secret_key().to_owned(),
    });
    store.ensure_bucket().await.unwrap();
    let stored = store.upload("source", path, "video/mp4").await.unwrap();
    Served {
        ranges: Ranges::start(&store, "source", stored.size, None).unwrap(),
        server,
        _folder: folder,
    }
}
