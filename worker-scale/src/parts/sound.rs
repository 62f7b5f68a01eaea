//! The sound of a film, which is made in one piece: joined pieces would click.

use super::{film::hash, lead::Lead};
use crate::{budget::MAX_TRACKS, codec::Pass, stream};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use vidp_common::process::Limits;
use vidp_contract::OutputFile;
use vidp_worker::ffmpeg::{self, Input, MediaError, process_limits};

impl Lead<'_> {
    /// Path of the file with all sound tracks.
    pub(super) fn sound_path(&self) -> PathBuf {
        self.job.folder.join("sound")
    }

    /// Paths of the growing track files of the sound. There are none unless a stream is asked for.
    pub(super) fn growing_paths(&self) -> Vec<PathBuf> {
        let tracks = match self.job.attempt {
            Some(_) if self.job.options.stream => self.job.probe.audio.len().min(MAX_TRACKS),
            _ => 0,
        };
        let name = |number: usize| format!("{}.growing", OutputFile::stream_audio(number).name);
        (1..=tracks)
            .map(|number| self.job.folder.join(name(number)))
            .collect()
    }

    /// Paths of the pieces that are cut from these files.
    pub(super) fn piece_paths(&self) -> Vec<PathBuf> {
        let files = self.growing_paths().into_iter();
        files.map(|path| path.with_extension("piece")).collect()
    }

    /// Makes the sound of all renditions, unless an earlier delivery has done so. Returns the number of decode errors.
    pub(super) async fn sound(&self) -> Result<u64, MediaError> {
        if self.job.probe.audio.is_empty() {
            return Ok(0);
        }
        let path = self.sound_path();
        let growing = self.growing_paths();
        let paths: Vec<&Path> = [&path]
            .into_iter()
            .chain(&growing)
            .map(PathBuf::as_path)
            .collect();
        let audio = self.job.audio_args(&self.encoder.film.targets[0], Pass::Only);
        let kind = if growing.is_empty() { "sound" } else { "sounds" };
        let name = format!("{}-{kind}-{}", self.encoder.plan, hash(&audio));
        if let Some(attempt) = self.job.attempt
            && let Some(decode_errors) = attempt.fetch_part(&name, &paths).await
        {
            return Ok(decode_errors);
        }
        let mut args: Vec<OsString> = self.job.settings.limits.decode_args().into();
        args.extend(["-max_error_rate", "0.2"].map(OsString::from));
        args.extend(Input::File(self.job.source).args());
        args.extend(audio);
        args.extend(["-map_metadata", "-1", "-map_chapters", "-1"].map(OsString::from));
        args.extend(match growing.is_empty() {
            true => self.job.container_args(Pass::Only, path.clone()),
            false => stream::growing(&path, self.job.options.codec, &growing),
        });
        let limits = Limits {
            file_size: self.encoder.file_size,
            ..process_limits(self.job.probe.facts.duration)
        };
        let (tools, access) = (&self.job.settings.tools, self.job.access());
        let decode_errors = ffmpeg::run(tools, args, limits, &access, self.job.cancel, |_| {})
            .await
            .map_err(MediaError::decoding)?;
        tokio::fs::metadata(&path).await.map_err(MediaError::reading)?;
        if let Some(attempt) = self.job.attempt {
            attempt.store_part(&name, &paths, &decode_errors).await;
        }
        Ok(decode_errors)
    }
}
