//! The film that is made in parts, and its files.

use super::plan::Part;
use crate::job::{Job, Target};
use std::{fs, io, path::PathBuf};
use vidp_common::process::ProcessError;
use vidp_worker::ffmpeg::{MediaError, TICKS};

/// A film that is made in parts.
pub(super) struct Film<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) targets: &'a [Target],
    pub(super) parts: Vec<Part>,
    /// The time that becomes 0 in the renditions, in ticks of the file's clock.
    pub(super) origin: i64,
    /// Names what the content of the parts depends on.
    pub(super) recipe: String,
    /// Bytes that each file may have.
    pub(super) file_size: u64,
}

impl Film<'_> {
    /// The second of the film at a time of the file's clock.
    pub(super) fn second(&self, ticks: Option<i64>, otherwise: f64) -> f64 {
        ticks.map_or(otherwise, |ticks| (ticks - self.origin) as f64 / f64::from(TICKS))
    }

    /// The second of the film at which a part ends.
    pub(super) fn end(&self, part: &Part) -> f64 {
        self.second(part.end, self.job.probe.facts.duration)
    }

    /// Removes all files of the parts.
    pub(super) fn discard(&self) {
        remove(&[self.sound_path()]);
        remove(
            &self
                .targets
                .iter()
                .map(|target| self.joined_path(target))
                .collect::<Vec<_>>(),
        );
        for number in 0..self.parts.len() {
            remove(&self.paths(number));
        }
    }

    /// The file to which the parts of a rendition are appended.
    pub(super) fn joined_path(&self, target: &Target) -> PathBuf {
        self.job
            .folder
            .join(format!("{}-joined.mp4", target.rung.short_side))
    }

    /// The name of a part, under which it is stored.
    pub(super) fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.recipe)
    }

    /// The file of a chunk for each target.
    pub(super) fn paths(&self, number: usize) -> Vec<PathBuf> {
        let path = |target: &Target| {
            let name = format!("{}-{number:05}.mp4", target.rung.short_side);
            self.job.folder.join(name)
        };
        self.targets.iter().map(path).collect()
    }
}

/// An error of this machine's disk.
pub(super) fn disk(error: io::Error) -> MediaError {
    MediaError::Process(ProcessError::Read {
        program: "ffmpeg".to_owned(),
        error,
    })
}

/// Removes files that are no longer needed; a file that is missing already is no error.
pub(super) fn remove(paths: &[PathBuf]) {
    for path in paths {
        let _ = fs::remove_file(path);
    }
}
