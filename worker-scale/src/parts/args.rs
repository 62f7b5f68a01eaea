//! The arguments of the run that makes a part. Pure.

use super::film::Film;
use crate::{
    codec::{self, Pass},
    config::Settings,
    graph::{Cut, frame_rate, graph},
    job::Target,
    ladder::Rung,
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use vidp_worker::ffmpeg::TICKS;

impl Film {
    /// All arguments of the run that makes a part in `folder`, with decoding from `seek`. `input` names the source.
    pub(super) fn args(
        &self,
        settings: &Settings,
        number: usize,
        seek: Option<i64>,
        input: &[OsString],
        folder: &Path,
    ) -> Vec<OsString> {
        let part = &self.parts[number];
        let mut args: Vec<OsString> = settings.limits.decode_args().into();
        // Times stay those of the file, so that every run agrees on them.
        args.extend(["-max_error_rate", "0.2", "-copyts"].map(OsString::from));
        if let Some(seek) = seek {
            // ffmpeg counts from the start of the file.
            let seconds = (seek - self.origin) as f64 / f64::from(TICKS);
            args.extend(["-noaccurate_seek", "-ss"].map(OsString::from));
            args.push(format!("{seconds:.6}").into());
        }
        args.extend_from_slice(input);
        let rungs: Vec<Rung> = self.targets.iter().map(|target| target.rung.clone()).collect();
        let cut = Cut {
            start: part.start,
            end: part.end,
            origin: self.origin,
        };
        let graph = graph(&self.track, &self.details, &rungs, Some(&cut));
        args.extend(["-filter_complex".into(), graph.into()]);
        for (k, (target, path)) in self.targets.iter().zip(self.paths(number, folder)).enumerate() {
            args.extend(["-map".into(), format!("[v{k}]").into()]);
            args.extend(self.video_args(target, settings).into_iter().map(OsString::from));
            args.extend(["-map_metadata", "-1", "-map_chapters", "-1", "-f", "mp4"].map(OsString::from));
            let flags = "+cmaf+frag_keyframe+frag_discont+skip_trailer";
            args.extend(["-movflags".into(), flags.into(), path.into()]);
        }
        args
    }

    fn video_args(&self, target: &Target, settings: &Settings) -> Vec<String> {
        let (fps, preset) = (frame_rate(&self.track), &settings.x264_preset);
        codec::video(self.codec, &target.rate, Pass::Only, preset, Path::new(""), fps)
    }

    /// The file of a part for each rendition.
    pub(super) fn paths(&self, number: usize, folder: &Path) -> Vec<PathBuf> {
        let path = |target: &Target| folder.join(format!("{}-{number:05}.mp4", target.rung.short_side));
        self.targets.iter().map(path).collect()
    }
}
