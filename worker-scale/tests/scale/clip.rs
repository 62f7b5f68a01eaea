//! A source for a test, and its encoding.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use vidp_contract::{FailureCode, Rendition, ScaleOptions};
use vidp_worker::ffmpeg::{self, Input, MediaError, MediaLimits, Probe, Tools, process_limits};
use worker_scale::{Job, OnProgress, Settings};

/// A source file in a temporary folder, with the settings for its encoding.
pub(crate) struct Clip {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) settings: Settings,
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
            },
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
        ffmpeg::run(&self.settings.tools, args, limits, &self.cancel, |_| {})
            .await
            .unwrap();
    }

    /// Probes the source.
    pub(crate) async fn probe(&self) -> Probe {
        let input = Input::File(&self.path);
        ffmpeg::probe(&self.settings.tools, input, &self.settings.limits, &self.cancel)
            .await
            .unwrap()
    }

    /// Encodes the source with `options`.
    pub(crate) async fn try_scale(
        &self,
        options: &ScaleOptions,
        on_progress: OnProgress,
    ) -> Result<Vec<worker_scale::Rendition>, MediaError> {
        let probe = self.probe().await;
        let job = Job {
            settings: &self.settings,
            source: &self.path,
            probe: &probe,
            options,
            folder: self.folder.path(),
            cancel: &self.cancel,
        };
        worker_scale::encode(&job, on_progress).await
    }

    /// Encodes the source, which must succeed, and probes the renditions.
    pub(crate) async fn scale(&self, options: &ScaleOptions) -> Vec<Made> {
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
