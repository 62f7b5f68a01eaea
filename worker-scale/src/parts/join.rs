//! Joins the parts of each rendition and its sound by copying.

use super::{
    chunk::Chunk,
    files::{lacking, remove},
    lead::Lead,
};
use crate::{codec::Pass, job::Target};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};
use vidp_cmaf::Track;
use vidp_common::process::Limits;
use vidp_worker::ffmpeg::{self, Input, MediaError, process_limits};

/// Bytes of an init segment at most. It is compared with those of other parts.
const MAX_INIT: u64 = 1 << 20;

/// The parts so far, appended to one file for each rendition.
pub(super) struct Joined {
    pictures: Vec<Picture>,
    /// Number of the part that is appended next.
    pub(super) next: usize,
    /// Sum of the decode errors of the parts.
    pub(super) decode_errors: u64,
}

/// The picture of one rendition: one init segment and the fragments of all parts.
struct Picture {
    path: PathBuf,
    file: File,
    init: Vec<u8>,
    /// Time of the first picture in seconds.
    first: Option<f64>,
    /// The time at which the last fragment begins, in the track's time scale.
    latest: u64,
    /// Bytes so far, and at most.
    size: u64,
    limit: u64,
}

impl Joined {
    /// Appends the files of a part and removes them.
    ///
    /// # Errors
    /// The part does not belong behind the parts before it.
    pub(super) fn append(&mut self, chunk: &Chunk) -> Result<(), MediaError> {
        let files = chunk.paths.iter().zip(&chunk.tracks);
        for (picture, (path, track)) in self.pictures.iter_mut().zip(files) {
            let file = File::open(path).map_err(MediaError::reading)?;
            picture.append(file, track)?;
        }
        remove(&chunk.paths);
        self.next = chunk.number + 1;
        self.decode_errors += chunk.facts.decode_errors;
        Ok(())
    }

    /// True when a part has the parameters of the parts before it.
    pub(super) fn fits(&self, chunk: &Chunk) -> Result<bool, MediaError> {
        let files = chunk.paths.iter().zip(&chunk.tracks);
        for (picture, (path, track)) in self.pictures.iter().zip(files) {
            let mut file = File::open(path).map_err(MediaError::reading)?;
            let is_first = picture.first.is_none() || track.fragments.is_empty();
            if !is_first && init(&mut file, track)? != picture.init {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// True when all of `parts` are appended.
    pub(super) fn is_complete(&self, parts: usize) -> bool {
        self.next == parts
    }
}

impl Picture {
    fn append(&mut self, mut from: File, track: &Track) -> Result<(), MediaError> {
        let (Some(first), Some(last)) = (track.fragments.first(), track.fragments.last()) else {
            // The part lies within one long picture.
            return Ok(());
        };
        let init = init(&mut from, track)?;
        if self.first.is_none() {
            self.first = Some(first.first_pts as f64 / f64::from(track.timescale));
            io::copy(&mut init.as_slice(), &mut self.file).map_err(MediaError::reading)?;
            self.init = init;
        } else if self.init != init {
            return Err(lacking("has other parameters than the part before it"));
        } else if first.decode_time <= self.latest {
            return Err(lacking("begins before the end of the part before it"));
        }
        let fragments = last.offset + last.size - track.init;
        (self.latest, self.size) = (last.decode_time, self.size + fragments);
        if self.size > self.limit {
            return Err(lacking("needs more space than there is for parts"));
        }
        from.seek(SeekFrom::Start(track.init))
            .map_err(MediaError::reading)?;
        io::copy(&mut from.take(fragments), &mut self.file).map_err(MediaError::reading)?;
        Ok(())
    }
}

/// Reads the init segment of a file.
fn init(from: &mut File, track: &Track) -> Result<Vec<u8>, MediaError> {
    let mut init = Vec::new();
    from.take(track.init.min(MAX_INIT))
        .read_to_end(&mut init)
        .map_err(MediaError::reading)?;
    Ok(init)
}

impl Lead<'_> {
    /// Begins the files to which the parts are appended.
    pub(super) fn joined(&self) -> Result<Joined, MediaError> {
        let picture = |target: &Target| {
            let path = self.joined_path(target);
            Ok(Picture {
                file: File::create(&path)?,
                path,
                init: Vec::new(),
                first: None,
                latest: 0,
                size: 0,
                limit: self.encoder.file_size,
            })
        };
        let targets = self.encoder.film.targets.iter();
        Ok(Joined {
            pictures: targets
                .map(picture)
                .collect::<io::Result<_>>()
                .map_err(MediaError::reading)?,
            next: 0,
            decode_errors: 0,
        })
    }

    /// The file to which the parts of a rendition are appended.
    fn joined_path(&self, target: &Target) -> PathBuf {
        let name = format!("{}-joined.mp4", target.rung.short_side);
        self.job.folder.join(name)
    }

    /// Removes all files of the parts.
    pub(super) fn discard(&self) {
        let film = self.encoder.film;
        remove(&[self.sound_path()]);
        remove(&self.growing_paths());
        remove(&self.piece_paths());
        for target in &film.targets {
            remove(&[self.joined_path(target)]);
        }
        for number in 0..film.parts.len() {
            remove(&film.paths(number, self.job.folder));
        }
    }

    /// Makes the file of each rendition from its parts and the sound, and removes the parts.
    pub(super) async fn join(&self, joined: &Joined) -> Result<(), MediaError> {
        let job = self.job;
        let sound = (!job.probe.audio.is_empty()).then(|| self.sound_path());
        let start = match &sound {
            Some(path) => {
                let (tools, limits) = (&job.settings.tools, &job.settings.limits);
                ffmpeg::probe(tools, Input::File(path), limits, job.cancel)
                    .await?
                    .start
            }
            None => 0.0,
        };
        let limits = Limits {
            file_size: self.encoder.file_size,
            ..process_limits(job.probe.facts.duration)
        };
        for (target, picture) in self.encoder.film.targets.iter().zip(&joined.pictures) {
            let Some(first) = picture.first else {
                return Err(lacking("has no picture"));
            };
            // ffmpeg removes the start of each input, and this offset restores it.
            let input = |path: &PathBuf, start: f64| {
                let offset = ["-itsoffset".into(), OsString::from(format!("{start:.6}"))];
                offset
                    .into_iter()
                    .chain(Input::File(path).args())
                    .collect::<Vec<_>>()
            };
            let mut args = input(&picture.path, first);
            if let Some(path) = &sound {
                args.extend(input(path, start));
            }
            args.extend(["-map", "0:v", "-c", "copy"].map(OsString::from));
            if sound.is_some() {
                args.extend(["-map", "1:a"].map(OsString::from));
            }
            args.extend(job.container_args(Pass::Only, job.path(&target.rung)));
            let (tools, access) = (&job.settings.tools, job.access());
            ffmpeg::run(tools, args, limits, &access, job.cancel, |_| {})
                .await
                .map_err(MediaError::decoding)?;
            remove(std::slice::from_ref(&picture.path));
        }
        remove(sound.as_slice());
        remove(&self.growing_paths());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::chunk::Facts;
    use vidp_cmaf::{Fragment, Kind};

    /// A part of one picture whose init segment is `init`, two seconds after the part before it.
    fn part(folder: &std::path::Path, number: usize, init: &[u8; 4]) -> Chunk {
        let path = folder.join(number.to_string());
        std::fs::write(&path, [init.as_slice(), b"moof"].concat()).unwrap();
        let fragment = Fragment {
            offset: 4,
            size: 4,
            decode_time: number as u64 * 2000,
            duration: 2000,
            samples: 1,
            first_pts: number as i64 * 2000,
            last_pts: number as i64 * 2000,
            starts_with_sync: true,
            first_sample_end: 4,
        };
        let track = Track {
            init: 4,
            kind: Kind::Video,
            timescale: 1000,
            codec: String::new(),
            fragments: vec![fragment],
        };
        Chunk {
            number,
            paths: vec![path],
            tracks: vec![track],
            facts: Facts {
                decode_errors: 1,
                fetched: 0,
            },
            stored: None,
        }
    }

    #[test]
    fn a_part_of_another_encoder_does_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("joined");
        let picture = Picture {
            file: File::create(&path).unwrap(),
            path: path.clone(),
            init: Vec::new(),
            first: None,
            latest: 0,
            size: 0,
            limit: 100,
        };
        let mut joined = Joined {
            pictures: vec![picture],
            next: 0,
            decode_errors: 0,
        };
        let part = |number, init| part(folder.path(), number, init);
        for (number, init, fits) in [(0, b"aaaa", true), (1, b"bbbb", false), (1, b"aaaa", true)] {
            let chunk = part(number, init);
            assert_eq!(joined.fits(&chunk).unwrap(), fits, "{number}");
            if fits {
                joined.append(&chunk).unwrap();
            }
        }
        assert!(joined.append(&part(2, b"bbbb")).is_err());
        assert!(joined.append(&part(1, b"aaaa")).is_err(), "it is there already");
        assert_eq!((joined.is_complete(2), joined.decode_errors), (true, 2));
        assert_eq!(std::fs::read(path).unwrap(), b"aaaamoofmoof");
    }
}
