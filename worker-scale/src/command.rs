//! Builds ffmpeg's arguments for a job. Pure.

use crate::{
    budget::MAX_TRACKS,
    codec::{self, Pass},
    graph::{frame_rate, graph},
    job::{Job, Target},
    ladder::Rung,
};
use std::{ffi::OsString, path::PathBuf};
use vidp_contract::Codec;
use vidp_worker::ffmpeg::{Input, MediaError};

impl Job<'_> {
    /// All arguments of one ffmpeg run. They reproduce the run when they are given to ffmpeg by hand.
    ///
    /// # Errors
    /// `no_video_stream` when the source has none.
    pub(crate) fn args(&self, targets: &[Target], pass: Pass) -> Result<Vec<OsString>, MediaError> {
        let (track, details) = self.video()?;
        let codec = self.options.codec;
        let mut args: Vec<OsString> = self.settings.limits.decode_args().into();
        // More than a fifth of broken packets counts as damage. Broadcast recordings normally have less.
        args.extend(["-max_error_rate".into(), "0.2".into()]);
        args.extend(Input::File(self.source).args());
        let encoded: Vec<Rung> = targets
            .iter()
            .filter(|target| !target.rate.is_copy())
            .map(|target| target.rung.clone())
            .collect();
        if !encoded.is_empty() {
            args.extend([
                "-filter_complex".into(),
                graph(track, details, &encoded, None).into(),
            ]);
        }
        let mut pads = 0..;
        for target in targets {
            let video = if target.rate.is_copy() {
                format!("0:{}", details.index)
            } else {
                format!("[v{}]", pads.next().unwrap_or(0))
            };
            let statistics = self.folder.join(format!("{}.pass", target.rung.short_side));
            args.extend(["-map".into(), video.into()]);
            let fps = frame_rate(track);
            let preset = &self.settings.x264_preset;
            let video = codec::video(codec, &target.rate, pass, preset, &statistics, fps);
            args.extend(video.into_iter().map(OsString::from));
            args.extend(self.audio_args(target, pass));
            args.extend(["-map_metadata", "-1", "-map_chapters", "-1"].map(OsString::from));
            args.extend(self.container_args(pass, self.path(&target.rung)));
        }
        Ok(args)
    }

    /// Maps the decodable audio tracks with their languages, at most [`MAX_TRACKS`], the default track first.
    pub(crate) fn audio_args(&self, target: &Target, pass: Pass) -> Vec<OsString> {
        let tracks = &self.probe.audio[..self.probe.audio.len().min(MAX_TRACKS)];
        let mut args: Vec<String> = Vec::new();
        for (k, track) in tracks.iter().enumerate() {
            args.extend(["-map".into(), format!("0:{}", track.index)]);
            if let Some(language) = &track.language {
                args.extend([format!("-metadata:s:a:{k}"), format!("language={language}")]);
            }
        }
        if !tracks.is_empty() && pass == Pass::First {
            // The second pass finds its statistics by stream number, so the first pass needs the same streams.
            // Copying them avoids the cost of encoding.
            args.extend(["-c:a".into(), "copy".into()]);
        } else if !tracks.is_empty() {
            let sounds = tracks.iter().map(|track| self.sound(track, target.audio));
            args.extend(codec::audio(self.options.codec, sounds));
        }
        args.into_iter().map(OsString::from).collect()
    }

    /// The output format and the file at `path`; the first of two passes writes no file.
    pub(crate) fn container_args(&self, pass: Pass, path: PathBuf) -> Vec<OsString> {
        let path = path.into();
        match (pass, self.options.codec) {
            (Pass::First, _) => vec!["-f".into(), "null".into(), "-".into()],
            (_, Codec::Vp9) => vec!["-f".into(), "webm".into(), path],
            _ => vec![
                "-f".into(),
                "mp4".into(),
                "-movflags".into(),
                "+faststart".into(),
                path,
            ],
        }
    }
}
