//! The plan of a film that is made in parts. Every worker that makes a part of the film has the same plan.

use super::cut::{self, Lengths, MIN_PARTS, Part};
use crate::{
    codec::Rate,
    config::Settings,
    graph::frame_rate,
    job::{Job, Target},
    verify::keeps_every_frame,
};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use vidp_common::store::Blocks;
use vidp_contract::{Codec, VideoTrack, hex};
use vidp_worker::ffmpeg::{MediaError, TICKS, VideoDetails};

/// Containers with an index, in which a seek finds a key frame exactly.
const INDEXED_CONTAINERS: [&str; 4] = ["mov", "matroska", "avi", "flv"];
/// Containers of which a worker can read one part without the rest of the file.
const RANGED_CONTAINERS: [&str; 2] = ["mov", "matroska"];
/// Seconds of the first part of a film that is played while it is made: a viewer waits for it.
const FIRST_OF_STREAM: u32 = 4;
/// Bytes of the plan's hash in its name.
const NAME: usize = 8;
/// Bytes of a plan at most. A part has about 200.
const MAX_PLAN: u64 = 16 << 20;
/// Renditions, parts, and pixels of a side at most that a plan from the store may have.
const MAX_TARGETS: usize = 16;
const MAX_PARTS: usize = 100_000;
const MAX_SIDE: u32 = 1 << 15;

/// A film that is made in parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Film {
    pub(super) track: VideoTrack,
    pub(super) details: VideoDetails,
    pub(super) codec: Codec,
    /// The renditions.
    pub(super) targets: Vec<Target>,
    /// Seconds of the film.
    pub(super) duration: f64,
    /// Bytes of the source.
    pub(super) size: u64,
    /// True when renditions have every picture of the source. A rate that is lowered, and fields, make fewer.
    pub(super) keeps_every_frame: bool,
    /// True when a worker can read a part without the rest of the file.
    pub(super) is_ranged: bool,
    /// Hashes of the source, for workers that read a part. Empty when they cannot.
    pub(super) blocks: Blocks,
    /// The time that becomes 0 in the renditions, in ticks of the file's clock.
    pub(super) origin: i64,
    /// The parts, in the order of their times.
    pub(super) parts: Vec<Part>,
}

impl Film {
    /// Plans the parts of a film. `None`: it is better made in one piece.
    pub(super) async fn plan(job: &Job<'_>, targets: &[Target]) -> Result<Option<Film>, MediaError> {
        let facts = &job.probe.facts;
        let seconds = job.settings.part_seconds(facts.duration);
        let is_possible = |target: &Target| matches!(target.rate, Rate::Quality { .. });
        if targets.is_empty()
            || facts.duration < f64::from(seconds) * MIN_PARTS as f64
            || !targets.iter().all(is_possible)
        {
            return Ok(None);
        }
        let (track, details) = job.video()?;
        let is_one_of = |names: &[&str]| names.iter().any(|name| facts.container.starts_with(name));
        let is_ranged = job.attempt.is_some() && is_one_of(&RANGED_CONTAINERS);
        let blocks = async {
            match is_ranged {
                true => hashes(job.source.to_owned()).await,
                false => Ok(Blocks::default()),
            }
        };
        // Both read the whole file, and a viewer may wait for the first part.
        let (Some(packets), blocks) = tokio::try_join!(job.packets(), blocks)? else {
            return Ok(None);
        };
        let origin = (job.probe.start * f64::from(TICKS)).round() as i64;
        // A picture of two fields needs the picture before it.
        let is_indexed = is_one_of(&INDEXED_CONTAINERS) && !track.interlaced;
        let lengths = Lengths {
            first: if job.options.stream {
                seconds.min(FIRST_OF_STREAM)
            } else {
                seconds
            },
            longest: seconds,
        };
        let parts = cut::cut(packets, origin, lengths, is_indexed);
        if parts.len() < MIN_PARTS {
            return Ok(None);
        }
        Ok(Some(Film {
            track: track.clone(),
            details: details.clone(),
            codec: job.options.codec,
            targets: targets.to_vec(),
            duration: facts.duration,
            size: facts.size,
            keeps_every_frame: keeps_every_frame(job.probe),
            is_ranged,
            blocks,
            origin,
            parts,
        }))
    }

    /// Reads a plan that another worker has stored.
    ///
    /// # Errors
    /// The file is no plan, or one that no worker makes.
    pub(super) fn read(path: &Path) -> anyhow::Result<Film> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_PLAN).read_to_end(&mut bytes)?;
        let film: Film = serde_json::from_slice(&bytes).context("no plan of a film")?;
        film.check()?;
        Ok(film)
    }

    /// Checks what becomes part of ffmpeg's arguments.
    fn check(&self) -> anyhow::Result<()> {
        let details = &self.details;
        // The names of codecs, formats and colours are parts of the filter graph.
        let is_word = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let colours = [&details.transfer, &details.primaries, &details.matrix];
        ensure!(
            colours.into_iter().flatten().all(|name| is_word(name)),
            "a colour has no valid name"
        );
        ensure!(
            (1..=MAX_TARGETS).contains(&self.targets.len()),
            "wrong number of renditions"
        );
        ensure!(self.parts.len() <= MAX_PARTS, "too many parts");
        let is_size = |side: u32| (1..=MAX_SIDE).contains(&side);
        let are_sizes = |target: &Target| is_size(target.rung.width) && is_size(target.rung.height);
        ensure!(
            self.targets.iter().all(are_sizes),
            "a rendition has no valid size"
        );
        let is_rate = |fps: f64| fps.is_finite() && fps > 0.0;
        ensure!(
            is_rate(self.track.fps) && is_rate(frame_rate(&self.track)),
            "no valid frame rate"
        );
        ensure!(
            self.duration.is_finite() && self.duration > 0.0,
            "no valid duration"
        );
        ensure!(
            self.parts.iter().all(|part| !part.seeks.is_empty()),
            "a part has no place to begin"
        );
        Ok(())
    }

    /// The name of the plan: a hash of everything on which the parts depend, which is all arguments of all runs.
    ///
    /// Workers with other settings, or of another release, give the same film another name.
    pub(super) fn name(&self, settings: &Settings) -> String {
        let args = |number: usize| {
            let seeks = self.parts[number].seeks.iter();
            seeks.flat_map(move |seek| self.args(settings, number, *seek, &[], Path::new("")))
        };
        hash(&(0..self.parts.len()).flat_map(args).collect::<Vec<_>>())
    }

    /// The second of the film at a time of the file's clock.
    pub(super) fn second(&self, ticks: Option<i64>, otherwise: f64) -> f64 {
        ticks.map_or(otherwise, |ticks| (ticks - self.origin) as f64 / f64::from(TICKS))
    }

    /// The number of the first part at or behind `number` that has a picture, or the number of parts.
    pub(super) fn first_with_pictures(&self, number: usize) -> usize {
        let parts = self.parts.iter().enumerate().skip(number);
        let mut shown = parts.filter(|(_, part)| part.pictures > 0);
        shown.next().map_or(self.parts.len(), |(number, _)| number)
    }

    /// Seconds of a part.
    pub(super) fn seconds(&self, number: usize) -> f64 {
        let part = &self.parts[number];
        (self.second(part.end, self.duration) - self.second(part.start, 0.0)).max(0.0)
    }

    /// Seconds from the start of a part to that of the next one with pictures, at most.
    pub(super) fn longest_seconds(&self) -> f64 {
        let shown = self.parts.iter().filter(|part| part.pictures > 0);
        let starts: Vec<f64> = shown.map(|part| self.second(part.start, 0.0)).collect();
        let ends = starts.iter().skip(1).copied().chain([self.duration]);
        let lengths = starts.iter().zip(ends).map(|(start, end)| end - start);
        lengths.fold(0.0, f64::max)
    }

    /// Seconds that are decoded for a part, beginning at `seek`.
    pub(super) fn decoded(&self, number: usize, seek: Option<i64>) -> f64 {
        (self.second(self.parts[number].end, self.duration) - self.second(seek, 0.0)).max(0.0)
    }
}

/// A name for something that is made with these arguments.
pub(crate) fn hash(args: &[OsString]) -> String {
    let mut hash = Sha256::new();
    for arg in args {
        hash.update(arg.as_encoded_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize()[..NAME])
}

async fn hashes(path: PathBuf) -> Result<Blocks, MediaError> {
    let hashed = tokio::task::spawn_blocking(move || Blocks::of_file(&path)).await;
    hashed
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(MediaError::reading)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, ladder::ladder};
    use clap::Parser;
    use vidp_contract::Rendition::{P144, P360};

    fn film() -> Film {
        let rate = Rate::Quality {
            crf: 23,
            ceiling: None,
        };
        let rungs = ladder(640, 360, &[P360, P144], Codec::H264);
        let target = |rung| Target {
            rung,
            rate: rate.clone(),
            audio: 96_000,
        };
        let part = |start, end| Part {
            start,
            end,
            seeks: vec![start, None],
            pictures: 300,
        };
        Film {
            track: VideoTrack {
                codec: "h264".into(),
                width: 640,
                height: 360,
                fps: 30_000.0 / 1001.0,
                pixel_format: "yuv420p".into(),
                rotation: 0,
                interlaced: false,
                hdr: false,
            },
            details: VideoDetails {
                index: 0,
                width: 640,
                height: 360,
                pixel_aspect: 1.0 / 3.0,
                bitrate: None,
                start: 0.1,
                duration: None,
                frames: None,
                field_order: None,
                transfer: None,
                primaries: None,
                matrix: Some("bt709".into()),
            },
            codec: Codec::H264,
            targets: rungs.into_iter().map(target).collect(),
            duration: 20.020_020_020_020_02,
            size: 1_000_000,
            keeps_every_frame: true,
            is_ranged: true,
            blocks: Blocks::default(),
            origin: -7,
            parts: vec![part(None, Some(1_200_000)), part(Some(1_200_000), None)],
        }
    }

    fn settings() -> Settings {
        Config::parse_from(["worker-scale"]).settings
    }

    fn stored(text: &str) -> anyhow::Result<Film> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Film::read(file.path())
    }

    #[test]
    fn a_stored_plan_is_the_same_plan() {
        let film = film();
        let read = stored(&serde_json::to_string(&film).unwrap()).unwrap();
        assert_eq!(read, film);
        let name = film.name(&settings());
        assert_eq!(read.name(&settings()), name);
        let slower = Settings {
            x264_preset: "slow".into(),
            ..settings()
        };
        assert_ne!(read.name(&slower), name, "another encoder makes other parts");
    }

    /// The store may have anything at the place of a plan.
    #[test]
    fn a_plan_adds_nothing_to_the_arguments() {
        let good = serde_json::to_string(&film()).unwrap();
        for (old, new) in [
            ("\"bt709\"", "\"bt709[a];movie=/etc/passwd\""),
            (
                "\"width\":640,\"height\":360,\"full_size\"",
                "\"width\":0,\"height\":360,\"full_size\"",
            ),
            ("29.97002997002997", "0.0"),
            ("20.02002002002002", "-1.0"),
            ("\"seeks\":[null,null]", "\"seeks\":[]"),
            ("\"targets\":[", "\"targets\":[],\"other\":["),
            ("{", "["),
        ] {
            let bad = good.replacen(old, new, 1);
            assert_ne!(bad, good, "{old} is in the plan");
            assert!(stored(&bad).is_err(), "{new}");
        }
        assert!(stored(&good).is_ok());
    }
}
