//! A source for a test, and its encoding.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use vidp_common::process::Access;
use vidp_contract::{FailureCode, Rendition, ScaleOptions, SoundReport};
use vidp_worker::ffmpeg::{self, Input, MediaError, MediaLimits, Packets, Probe, Tools, process_limits};
use worker_scale::{Encoded, Gains, Job, OnProgress, Settings, Stream};

/// A source file in a temporary folder, with the settings for its encoding.
pub(crate) struct Clip {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) settings: Settings,
    /// Bytes that the renditions may have together.
    pub(crate) space: u64,
    pub(crate) cancel: CancellationToken,
}

/// A rendition, probed again by the test.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) probe: Probe,
}

impl Clip {
    /// Makes the source `name` from ffmpeg's `args`, which are separated by spaces.
    pub(crate) async fn make(name: &str, args: &str) -> Clip {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let clip = Clip {
            folder,
            path: path.clone(),
            settings: Settings {
                tools: Tools::default(),
                limits: MediaLimits::default(),
                x264_preset: "ultrafast".to_owned(),
                scratch_mb: 0,
                // All tests of this file can also be run in parts: VIDP_PART_SECONDS=2.
                part_seconds: std::env::var("VIDP_PART_SECONDS").map_or(0, |text| text.parse().unwrap()),
                slots: 1,
            },
            space: u64::MAX,
            cancel: CancellationToken::new(),
        };
        clip.ffmpeg(args, &path).await;
        clip
    }

    /// Runs ffmpeg with `args` and the output `path`.
    pub(crate) async fn ffmpeg(&self, args: &str, path: &Path) {
        let args = args
            .split_whitespace()
            .map(OsString::from)
            .chain([path.into()])
            .collect();
        let limits = process_limits(60.0);
        // Inputs of the arguments may be in the folder of another clip.
        let access = Access::reading(&std::env::temp_dir()).and_writing(self.folder.path());
        ffmpeg::run(&self.settings.tools, args, limits, &access, &self.cancel, |_| {})
            .await
            .unwrap();
    }

    /// Makes another source `name` from this one by ffmpeg's `args`.
    pub(crate) async fn remade(self, name: &str, args: &str) -> Clip {
        let path = self.folder.path().join(name);
        self.ffmpeg(&format!("-i {} {args}", self.path.display()), &path)
            .await;
        Clip { path, ..self }
    }

    /// Changes the bytes of the source.
    pub(crate) fn patched(self, patch: impl FnOnce(&mut Vec<u8>)) -> Clip {
        let mut bytes = fs::read(&self.path).unwrap();
        patch(&mut bytes);
        fs::write(&self.path, bytes).unwrap();
        self
    }

    /// The brightness of each pixel of the picture at `seconds` in `path`, row by row.
    pub(crate) async fn picture(&self, path: &Path, seconds: f64) -> Vec<u8> {
        let raw = self.folder.path().join("picture.raw");
        let input = format!("-i {} -vf trim=start={seconds}", path.display());
        self.ffmpeg(&format!("{input} -frames:v 1 -pix_fmt gray -f rawvideo"), &raw)
            .await;
        fs::read(raw).unwrap()
    }

    /// Number of frames in `path`.
    pub(crate) async fn frames(&self, path: &Path) -> u64 {
        let input = Input::File(path);
        let probe = ffmpeg::probe_measured(&self.settings.tools, input, &self.cancel)
            .await
            .unwrap();
        probe.video.unwrap().frames.unwrap()
    }

    /// Probes the source.
    pub(crate) async fn probe(&self) -> Probe {
        self.try_probe().await.unwrap()
    }

    /// Probes the source, which may be refused.
    pub(crate) async fn try_probe(&self) -> Result<Probe, MediaError> {
        worker_scale::describe(&self.settings, &self.path, &self.cancel).await
    }

    /// Encodes the source with `options`.
    pub(crate) async fn try_scale(
        &self,
        options: &ScaleOptions,
        on_progress: OnProgress,
    ) -> Result<Vec<worker_scale::Rendition>, MediaError> {
        Ok(self.try_encode(options, on_progress).await?.1.renditions)
    }

    /// Encodes the source with `options`, and returns the probe of the source too.
    pub(crate) async fn try_encode(
        &self,
        options: &ScaleOptions,
        on_progress: OnProgress,
    ) -> Result<(Probe, Encoded), MediaError> {
        let (probe, encoded, _) = self.try_all(options, on_progress).await?;
        Ok((probe, encoded))
    }

    /// Encodes the source with `options`, and measures the sound of the renditions.
    pub(crate) async fn try_all(
        &self,
        options: &ScaleOptions,
        on_progress: OnProgress,
    ) -> Result<(Probe, Encoded, BTreeMap<u32, SoundReport>), MediaError> {
        let probe = self.try_probe().await?;
        let (none, packets) = (Gains::new(), OnceCell::new());
        let mut job = self.job(&probe, options, &none, &packets);
        let gains = job.gains().await?;
        job.gains = &gains;
        let encoded = worker_scale::encode(&job, on_progress).await?;
        let sounds = job.measure_sound(&encoded).await?;
        Ok((probe, encoded, sounds))
    }

    fn job<'a>(
        &'a self,
        probe: &'a Probe,
        options: &'a ScaleOptions,
        gains: &'a Gains,
        packets: &'a OnceCell<Option<Packets>>,
    ) -> Job<'a> {
        Job {
            settings: &self.settings,
            source: &self.path,
            probe,
            options,
            folder: self.folder.path(),
            space: self.space,
            gains,
            packets,
            cancel: &self.cancel,
            attempt: None,
        }
    }

    /// Encodes the source, and packages the renditions for streaming.
    pub(crate) async fn streamed(&self, options: &ScaleOptions) -> (Encoded, Stream) {
        let probe = self.probe().await;
        let (none, packets) = (Gains::new(), OnceCell::new());
        let job = self.job(&probe, options, &none, &packets);
        let encoded = worker_scale::encode(&job, quiet()).await.unwrap();
        let stream = job.stream(&encoded).await.unwrap();
        (encoded, stream.expect("the renditions can be streamed"))
    }

    /// Encodes the source, which must succeed, and probes the renditions.
    pub(crate) async fn scale(&self, options: &ScaleOptions) -> Vec<Made> {
        let mut all = Vec::new();
        for rendition in self.try_scale(options, quiet()).await.unwrap() {
            all.push(self.made(&rendition).await);
        }
        all
    }

    /// Probes a rendition.
    pub(crate) async fn made(&self, rendition: &worker_scale::Rendition) -> Made {
        let input = Input::File(&rendition.path);
        let limits = MediaLimits::default();
        let probe = ffmpeg::probe(&self.settings.tools, input, &limits, &self.cancel).await;
        Made {
            name: rendition.file.name.to_string(),
            path: rendition.path.clone(),
            size: rendition.facts.size,
            probe: probe.unwrap(),
        }
    }

    /// Encodes the source to a single rendition.
    pub(crate) async fn one(&self, rendition: Rendition) -> Made {
        let mut all = self.scale(&requesting(&[rendition])).await;
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// Encodes the source, which must fail, and returns the code and the detail.
    pub(crate) async fn fault(&self, options: &ScaleOptions) -> (FailureCode, String) {
        match self.try_scale(options, quiet()).await {
            Err(MediaError::Media { code, detail }) => (code, detail),
            Err(error) => panic!("{error}"),
            Ok(made) => panic!("succeeded with {} renditions", made.len()),
        }
    }
}

impl Made {
    /// Width and height; the pixels must be square.
    pub(crate) fn size(&self) -> (u32, u32) {
        let video = self.probe.video.as_ref().unwrap();
        assert_eq!(video.pixel_aspect, 1.0, "pixels are square");
        (video.width, video.height)
    }

    /// Asserts the duration within 0.2 s.
    pub(crate) fn lasts(&self, seconds: f64) {
        let duration = self.probe.facts.duration;
        assert!((duration - seconds).abs() < 0.2, "{duration} s");
    }
}

/// A progress callback that does nothing.
pub(crate) fn quiet() -> OnProgress {
    Arc::new(|_, _| {})
}

/// Default options with these renditions.
pub(crate) fn requesting(renditions: &[Rendition]) -> ScaleOptions {
    ScaleOptions {
        renditions: renditions.to_vec(),
        ..ScaleOptions::default()
    }
}

/// Three seconds of a test picture.
pub(crate) const PICTURE: &str = "-f lavfi -i testsrc2=s=640x360:r=25:d=3";
/// Three seconds of a tone.
pub(crate) const SOUND: &str = "-f lavfi -i sine=d=3 -c:a aac";
/// Arguments of the fastest H.264 encoder.
pub(crate) const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
