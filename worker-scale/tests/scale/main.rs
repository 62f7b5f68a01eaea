//! From sources of every awkward kind to renditions, with real ffmpeg.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use vidp_common::process::ProcessError;
use vidp_contract::{
    Codec, FailureCode,
    Rendition::{self, P144, P240, P360, P480, P720},
    ScaleOptions,
};
use vidp_worker::ffmpeg::{self, Input, MediaError, MediaLimits, Probe, Tools, process_limits};
use worker_scale::{
    Settings,
    encode::{self, Job, OnProgress},
    preview,
};

/// A source in a folder of its own, and the settings to work on it.
struct Clip {
    folder: TempDir,
    path: PathBuf,
    settings: Settings,
    cancel: CancellationToken,
}

/// A rendition that was made, probed once more.
#[derive(Debug)]
struct Made {
    name: String,
    path: PathBuf,
    size: u64,
    probe: Probe,
}

impl Clip {
    async fn make(name: &str, args: &str) -> Clip {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let clip = Clip {
            folder,
            path: path.clone(),
            settings: Settings {
                tools: Tools::default(),
                limits: MediaLimits::default(),
                x264_preset: "ultrafast".to_owned(),
            },
            cancel: CancellationToken::new(),
        };
        clip.ffmpeg(args, &path).await;
        clip
    }

    async fn ffmpeg(&self, args: &str, path: &Path) {
        let args = args
            .split_whitespace()
            .map(OsString::from)
            .chain([path.into()])
            .collect();
        let limits = process_limits(60.0);
        ffmpeg::run(&self.settings.tools, args, limits, &self.cancel, |_| {})
            .await
            .unwrap();
    }

    async fn probe(&self) -> Probe {
        let input = Input::File(&self.path);
        ffmpeg::probe(&self.settings.tools, input, &self.settings.limits, &self.cancel)
            .await
            .unwrap()
    }

    async fn try_scale(
        &self,
        options: &ScaleOptions,
        on_progress: OnProgress,
    ) -> Result<Vec<encode::Rendition>, MediaError> {
        let probe = self.probe().await;
        let job = Job {
            settings: &self.settings,
            source: &self.path,
            probe: &probe,
            options,
            folder: self.folder.path(),
            cancel: &self.cancel,
        };
        encode::encode(&job, on_progress).await
    }

    async fn scale(&self, options: &ScaleOptions) -> Vec<Made> {
        let mut all = Vec::new();
        for made in self.try_scale(options, quiet()).await.unwrap() {
            let input = Input::File(&made.path);
            let limits = MediaLimits::default();
            let probe = ffmpeg::probe(&self.settings.tools, input, &limits, &self.cancel)
                .await
                .unwrap();
            let size = made.facts.size;
            all.push(Made {
                name: made.name,
                path: made.path,
                size,
                probe,
            });
        }
        all
    }

    /// The only rendition, at one rung.
    async fn one(&self, rendition: Rendition) -> Made {
        let mut all = self.scale(&asking(&[rendition])).await;
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    async fn fault(&self, options: &ScaleOptions) -> (FailureCode, String) {
        match self.try_scale(options, quiet()).await {
            Err(MediaError::Media { code, detail }) => (code, detail),
            Err(error) => panic!("{error}"),
            Ok(made) => panic!("succeeded with {} renditions", made.len()),
        }
    }
}

impl Made {
    fn size(&self) -> (u32, u32) {
        let video = self.probe.video.as_ref().unwrap();
        assert_eq!(video.pixel_aspect, 1.0, "pixels are square");
        (video.width, video.height)
    }

    fn lasts(&self, seconds: f64) {
        let duration = self.probe.facts.duration;
        assert!((duration - seconds).abs() < 0.2, "{duration} s");
    }
}

fn quiet() -> OnProgress {
    Arc::new(|_, _| {})
}

fn asking(renditions: &[Rendition]) -> ScaleOptions {
    ScaleOptions {
        renditions: renditions.to_vec(),
        ..ScaleOptions::default()
    }
}

const PICTURE: &str = "-f lavfi -i testsrc2=s=640x360:r=25:d=3";
const SOUND: &str = "-f lavfi -i sine=d=3 -c:a aac";
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

#[tokio::test]
async fn a_ladder_in_one_run() {
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=1280x720:r=25:d=5 {SOUND} {H264} -metadata title=secret"),
    )
    .await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let progress = seen.clone();
    let options = asking(&[P144, P720, P360]);
    let made = clip
        .try_scale(
            &options,
            Arc::new(move |share, speed| progress.lock().unwrap().push((share, speed))),
        )
        .await
        .unwrap();
    let seen = seen.lock().unwrap().clone();
    assert!(
        seen.is_sorted_by(|a, b| a.0 <= b.0) && seen.last().unwrap().0 > 0.9,
        "{seen:?}"
    );
    assert!(seen.last().unwrap().1 > 0.0, "a speed");
    let names: Vec<&str> = made.iter().map(|rendition| rendition.name.as_str()).collect();
    assert_eq!(names, ["720p.mp4", "360p.mp4", "144p.mp4"]);
    for rendition in &made {
        let facts = &rendition.facts;
        let video = facts.video.as_ref().unwrap();
        assert_eq!(
            (video.width, video.height),
            (rendition.rung.width, rendition.rung.height)
        );
        assert_eq!(
            (video.codec.as_str(), video.pixel_format.as_str(), video.fps),
            ("h264", "yuv420p", 25.0)
        );
        assert_eq!(
            (facts.audio[0].codec.as_str(), facts.audio[0].channels),
            ("aac", 2)
        );
        let bytes = fs::read(&rendition.path).unwrap();
        let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
        assert!(at(b"moov") < at(b"mdat"), "playable before it is complete");
        assert!(
            !bytes.windows(6).any(|window| window == b"secret"),
            "no metadata of the source"
        );
    }
    assert!(made[0].facts.size <= fs::metadata(&clip.path).unwrap().len());

    let largest = made.first().unwrap();
    let poster = preview::poster(&clip.settings, largest, clip.folder.path(), &clip.cancel)
        .await
        .unwrap();
    assert!(fs::read(poster).unwrap().starts_with(&[0xff, 0xd8]));
    let smallest = made.last().unwrap();
    let (image, vtt) = preview::storyboard(&clip.settings, smallest, clip.folder.path(), &clip.cancel)
        .await
        .unwrap();
    assert!(fs::read(image).unwrap().starts_with(&[0xff, 0xd8]));
    assert_eq!(
        fs::read_to_string(vtt)
            .unwrap()
            .matches("storyboard.jpg#xywh=")
            .count(),
        3
    );
    if let Some(keep) = std::env::var_os("KEEP") {
        for file in fs::read_dir(clip.folder.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), Path::new(&keep).join(file.file_name())).unwrap();
        }
    }
}

#[tokio::test]
async fn short_clips_have_pictures() {
    // The key frame that a poster is made of is before the tenth of the way in that it is looked for at.
    for seconds in ["0.04", "1", "4", "10"] {
        let clip = Clip::make(
            "s.mp4",
            &format!("-f lavfi -i testsrc2=s=320x180:r=25:d={seconds} {H264}"),
        )
        .await;
        let made = clip.try_scale(&asking(&[P144]), quiet()).await.unwrap();
        let (from, folder) = (&made[0], clip.folder.path());
        let poster = preview::poster(&clip.settings, from, folder, &clip.cancel).await;
        let storyboard = preview::storyboard(&clip.settings, from, folder, &clip.cancel).await;
        for image in [poster.unwrap(), storyboard.unwrap().0] {
            let bytes = fs::read(&image).unwrap();
            let is_whole = bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]);
            assert!(is_whole, "{} of {seconds} s", image.display());
        }
    }
}

#[tokio::test]
async fn turned_and_stretched_pictures() {
    let plain = Clip::make("s.mp4", &format!("{PICTURE} {H264}")).await;
    let turned = plain.folder.path().join("turned.mp4");
    plain
        .ffmpeg(
            &format!("-i {} -c copy -metadata:s:v rotate=90", plain.path.display()),
            &turned,
        )
        .await;
    let turned = Clip {
        path: turned,
        ..plain
    };
    let facts = turned.probe().await.facts.video.unwrap();
    assert_eq!((facts.width, facts.height), (360, 640));
    let made = turned.one(P240).await;
    assert_eq!(made.size(), (240, 426));
    assert_eq!(made.probe.facts.video.unwrap().rotation, 0);

    let pal = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=720x576:r=25:d=1 -vf setsar=64/45 {H264}"),
    )
    .await;
    assert_eq!(pal.one(P480).await.size(), (854, 480));
    let narrow = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=1440x1080:r=25:d=0.5 -vf setsar=4/3 {H264}"),
    )
    .await;
    let facts = narrow.probe().await.facts.video.unwrap();
    assert_eq!((facts.width, facts.height), (1920, 1080));
    assert_eq!(narrow.one(P144).await.size(), (256, 144));
}

#[tokio::test]
async fn odd_and_small_pictures() {
    let odd = Clip::make("s.mkv", "-f lavfi -i testsrc2=s=321x241:r=25:d=1 -c:v ffv1").await;
    let made = odd.scale(&asking(&[P480, P240, P144])).await;
    assert_eq!(
        made.iter().map(Made::size).collect::<Vec<_>>(),
        [(320, 240), (192, 144)]
    );
    let small = Clip::make("s.mp4", &format!("-f lavfi -i testsrc2=s=160x90:r=25:d=1 {H264}")).await;
    let made = small.one(P480).await;
    assert_eq!((made.name.as_str(), made.size()), ("90p.mp4", (160, 90)));
}

#[tokio::test]
async fn interlaced_deep_and_fast_pictures() {
    let interlaced = Clip::make(
        "s.ts",
        "-f lavfi -i testsrc2=s=720x576:r=50:d=2 -vf interlace -c:v mpeg2video -flags +ildct+ilme",
    )
    .await;
    assert!(interlaced.probe().await.facts.video.unwrap().interlaced);
    let made = interlaced.one(P360).await.probe.facts.video.unwrap();
    assert_eq!((made.interlaced, made.fps), (false, 25.0));

    let deep = Clip::make(
        "s.mkv",
        &format!(
            "{PICTURE} -c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv422p10le"
        ),
    )
    .await;
    assert_eq!(
        deep.one(P240).await.probe.facts.video.unwrap().pixel_format,
        "yuv420p"
    );

    let fast = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=320x240:r=120:d=1 {H264}"),
    )
    .await;
    assert_eq!(fast.one(P144).await.probe.facts.video.unwrap().fps, 60.0);
}

#[tokio::test]
async fn high_dynamic_range_becomes_standard() {
    for transfer in ["smpte2084", "arib-std-b67"] {
        let args = format!(
            "-f lavfi -i smptehdbars=s=640x360:r=25:d=1 -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast \
             -x265-params log-level=error:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc -color_trc {transfer} \
             -color_primaries bt2020 -colorspace bt2020nc"
        );
        let clip = Clip::make("s.mp4", &args).await;
        assert!(clip.probe().await.facts.video.unwrap().hdr);
        let made = clip.one(P240).await.probe;
        assert!(!made.facts.video.unwrap().hdr);
        let video = made.video.unwrap();
        assert_eq!(
            (
                video.transfer.as_deref(),
                video.matrix.as_deref(),
                video.primaries.as_deref()
            ),
            (Some("bt709"), Some("bt709"), Some("bt709"))
        );
    }
}

#[tokio::test]
async fn sound_of_every_kind() {
    let two = Clip::make(
        "s.mkv",
        &format!("{PICTURE} -f lavfi -i sine=d=3 -f lavfi -i sine=f=99:d=3 -map 0 -map 1 -map 2 {H264} -c:a flac -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu -disposition:a:0 0 -disposition:a:1 default"),
    )
    .await;
    let audio = two.one(P144).await.probe.facts.audio;
    let languages: Vec<_> = audio
        .iter()
        .map(|track| track.language.as_deref().unwrap())
        .collect();
    assert_eq!(languages, ["deu", "eng"], "the default track comes first");

    let surround = Clip::make("s.mkv", &format!("{PICTURE} -f lavfi -i anoisesrc=d=3 -af pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0 {H264} -c:a ac3")).await;
    assert_eq!(surround.probe().await.facts.audio[0].channels, 6);
    assert_eq!(surround.one(P144).await.probe.facts.audio[0].channels, 2);

    let silent = Clip::make("s.mp4", &format!("{PICTURE} {H264}")).await;
    assert!(silent.one(P144).await.probe.facts.audio.is_empty());

    let heard = Clip::make("s.mp4", "-f lavfi -i sine=d=1 -c:a aac").await;
    assert_eq!(heard.fault(&asking(&[P144])).await.0, FailureCode::NoVideoStream);
}

#[tokio::test]
async fn frames_keep_their_own_times() {
    // 25 frames in the first second, then two a second; the last one stands for three seconds.
    let filter = "-vf select='lt(t,1)+not(mod(n,12))' -vsync vfr";
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=320x240:r=24:d=5 {filter} {H264}"),
    )
    .await;
    let source = clip.probe().await;
    let made = clip.one(P144).await;
    assert_eq!(made.probe.video.unwrap().frames, source.video.unwrap().frames);

    let still = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=320x240:r=1/5:d=5 -f lavfi -i sine=d=5 {H264} -c:a aac"),
    )
    .await;
    still.one(P144).await.lasts(5.0);
    let trimmed = Clip::make("s.mp4", &format!("{PICTURE} {SOUND} {H264}")).await;
    let cut = trimmed.folder.path().join("cut.mp4");
    trimmed
        .ffmpeg(&format!("-ss 1.5 -i {} -c copy", trimmed.path.display()), &cut)
        .await;
    let cut = Clip { path: cut, ..trimmed };
    cut.one(P144).await.lasts(1.5);
}

#[tokio::test]
async fn every_codec() {
    let clip = Clip::make("s.mp4", &format!("{PICTURE} {SOUND} {H264}")).await;
    for (codec, name, sound) in [
        (Codec::H265, "hevc", "aac"),
        (Codec::Av1, "av1", "opus"),
        (Codec::Vp9, "vp9", "opus"),
    ] {
        let options = ScaleOptions {
            codec,
            crf: 40,
            ..asking(&[P240, P144])
        };
        let all = clip.scale(&options).await;
        assert_eq!(all.len(), 2);
        for made in all {
            assert_eq!(made.probe.facts.video.as_ref().unwrap().codec, name);
            assert_eq!(made.probe.facts.audio[0].codec, sound);
            assert_eq!(made.path.extension().unwrap() == "webm", codec == Codec::Vp9);
            made.lasts(3.0);
        }
    }
}

#[tokio::test]
async fn a_bound_on_the_size_is_kept() {
    let noisy = format!(
        "-f lavfi -i testsrc2=s=320x180:r=12:d=4 -f lavfi -i sine=d=4 -vf noise=alls=30:allf=t {H264} -crf 18 -c:a aac"
    );
    let clip = Clip::make("s.mp4", &noisy).await;
    for codec in [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9] {
        let options = ScaleOptions {
            codec,
            max_size_mb: Some(0.08),
            ..asking(&[P360])
        };
        for made in clip.scale(&options).await {
            assert!(
                made.size <= 80_000,
                "{codec:?} {} has {} bytes",
                made.name,
                made.size
            );
            made.lasts(4.0);
        }
    }
    let options = ScaleOptions {
        max_size_mb: Some(0.01),
        ..asking(&[P360])
    };
    let (code, detail) = clip.fault(&options).await;
    assert_eq!(code, FailureCode::MediaTooLong);
    assert!(detail.contains("0.01 MB"), "{detail}");
}

#[tokio::test]
async fn never_larger_than_the_source() {
    for (name, source) in [
        ("s.mp4", "-c:v libx264 -preset slow -crf 36"),
        (
            "s.mkv",
            "-c:v libx265 -preset medium -crf 40 -x265-params log-level=error",
        ),
    ] {
        let clip = Clip::make(
            name,
            &format!("-f lavfi -i mandelbrot=s=480x360:r=25 -t 2 -pix_fmt yuv420p {source}"),
        )
        .await;
        let source = fs::metadata(&clip.path).unwrap().len();
        let made = clip.one(P360).await;
        assert!(made.size <= source, "{name}: {} > {source}", made.size);
        made.lasts(2.0);
    }
}

#[tokio::test]
async fn half_a_file_is_no_success() {
    let args = format!(
        "-f lavfi -i testsrc2=s=640x360:r=25:d=10 -f lavfi -i sine=d=10 {H264} -c:a aac -movflags +faststart"
    );
    let clip = Clip::make("s.mp4", &args).await;
    let whole = fs::read(&clip.path).unwrap();
    fs::write(&clip.path, &whole[..whole.len() / 2]).unwrap();
    let (code, detail) = clip.fault(&asking(&[P144])).await;
    assert_eq!(code, FailureCode::DamagedMedia, "{detail}");

    fs::write(&clip.path, &whole).unwrap();
    for name in ["s.mkv", "s.avi"] {
        let path = clip.folder.path().join(name);
        clip.ffmpeg(&format!("-i {} -c copy", clip.path.display()), &path)
            .await;
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let settings = clip.settings.clone();
        let half = Clip {
            path,
            settings,
            folder: tempfile::tempdir().unwrap(),
            cancel: CancellationToken::new(),
        };
        assert_eq!(
            half.fault(&asking(&[P144])).await.0,
            FailureCode::DamagedMedia,
            "{name}"
        );
    }
}

#[tokio::test]
async fn flipped_bytes_end_in_full_length_or_damage() {
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=640x360:r=25:d=10 -f lavfi -i sine=d=10 {H264} -c:a aac"),
    )
    .await;
    let whole = fs::read(&clip.path).unwrap();
    for seed in 1..=4_u64 {
        let mut bytes = whole.clone();
        let mut state = seed;
        for _ in 0..200 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] ^= 0xff;
        }
        fs::write(&clip.path, &bytes).unwrap();
        let input = Input::File(&clip.path);
        let probed = ffmpeg::probe(&clip.settings.tools, input, &clip.settings.limits, &clip.cancel).await;
        if probed.is_err() {
            continue;
        }
        match clip.try_scale(&asking(&[P144]), quiet()).await {
            Ok(made) => assert!((made[0].facts.duration - 10.0).abs() < 0.5, "seed {seed}"),
            Err(MediaError::Media { code, .. }) => assert_eq!(code, FailureCode::DamagedMedia, "seed {seed}"),
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_cancelled_encode_ends_at_once() {
    let clip = Clip::make(
        "s.mp4",
        &format!("-f lavfi -i testsrc2=s=1280x720:r=25:d=20 {H264}"),
    )
    .await;
    let settings = Settings {
        x264_preset: "veryslow".to_owned(),
        ..clip.settings.clone()
    };
    let clip = Clip { settings, ..clip };
    let cancel = clip.cancel.clone();
    let cancelled = Arc::new(Mutex::new(None));
    let when = cancelled.clone();
    // Cancels at the first sign of progress.
    let on_progress = Arc::new(move |_: f64, _: f64| {
        when.lock().unwrap().get_or_insert_with(Instant::now);
        cancel.cancel();
    });
    let result = clip.try_scale(&asking(&[P720, P480]), on_progress).await;
    assert!(matches!(
        result,
        Err(MediaError::Process(ProcessError::Cancelled))
    ));
    let took = cancelled.lock().unwrap().unwrap().elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}
