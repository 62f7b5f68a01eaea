//! Publishes the parts of a film as a stream, so that viewers can play it while the rest is made.
//!
//! A part of the picture is in the store already. Its index is stored beside it, with the sound up to the end of the part. An index never
//! changes: another delivery of the task finds the existing ones, and continues behind them.

use super::{chunk::Chunk, files::remove, film::Film, growing::GrowingSound, lead::Lead};
use crate::{
    budget::MAX_TRACKS,
    graph::frame_rate,
    stream::{entry, is_language, rate, segments},
};
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;
use tokio::sync::watch;
use vidp_cmaf::Track;
use vidp_contract::{Codec, Output, OutputFile, StreamAudio, StreamPart, StreamSet, StreamVideo};
use vidp_worker::{
    Attempt, StoredFile,
    ffmpeg::{Packets, TICKS},
};

/// Pause between two looks at the sound that ffmpeg writes.
const PAUSE: Duration = Duration::from_millis(200);
/// Seconds of a segment at most where pictures follow each other within a second.
const TARGET: u32 = 8;

/// The stream of a film that is being made.
pub(super) struct Publisher<'a> {
    lead: &'a Lead<'a>,
    attempt: &'a Attempt,
    target: u32,
    sounds: Vec<GrowingSound>,
    /// True when the sound is complete.
    is_sound_made: watch::Receiver<bool>,
    /// Number of the part of the film that is published next.
    next: usize,
    /// Number of published parts. Parts of the film without a picture are none.
    count: u32,
}

impl<'a> Publisher<'a> {
    /// A stream without parts; `None` when none is asked for. A film that is made again for its size is published once.
    pub(super) async fn begin(lead: &'a Lead<'a>, is_sound_made: watch::Receiver<bool>) -> Option<Self> {
        let attempt = lead.job.attempt?;
        if !lead.job.options.stream || attempt.has_other_stream(lead.encoder.plan) {
            return None;
        }
        let packets = lead.job.packets().await.ok().flatten()?;
        let tracks = lead.job.probe.audio.iter().take(MAX_TRACKS);
        let sounds = tracks.zip(lead.growing_paths()).zip(1..);
        let sounds = sounds.map(|((track, path), number)| GrowingSound {
            path,
            file: OutputFile::stream_audio(number),
            language: track.language.clone().filter(|text| is_language(text)),
            channels: lead.job.sound(track, 0).channels,
            track: None,
            until: 0,
        });
        Some(Publisher {
            lead,
            attempt,
            target: target(lead.encoder.film, packets),
            sounds: sounds.collect(),
            is_sound_made,
            next: lead.encoder.film.first_with_pictures(0),
            count: 0,
        })
    }

    /// True when this part of the film is the next one to publish.
    pub(super) fn wants(&self, number: usize) -> bool {
        self.next == number
    }

    /// Publishes a part of the film, which is in the store.
    ///
    /// # Errors
    /// The part cannot be played. The stream must end here.
    pub(super) async fn add(&mut self, chunk: &Chunk) -> Result<()> {
        let plan = self.lead.encoder.plan;
        let after = self.lead.encoder.film.first_with_pictures(chunk.number + 1);
        let part = match self.attempt.published(plan, self.count).await? {
            Some(part) => part,
            None => {
                let part = self.part(chunk, after).await?;
                self.attempt.publish(plan, self.count, part).await?
            }
        };
        self.advance(&part);
        (self.count, self.next) = (self.count + 1, after);
        self.attempt.progress_of_stream(plan, self.count);
        Ok(())
    }

    /// Leaves out the sound of a published part from later ones.
    fn advance(&mut self, part: &StreamPart) {
        if self.count == 0 {
            // A player knows the tracks of the first part alone.
            let audio = &part.set.audio;
            let is_known =
                |sound: &GrowingSound| audio.iter().any(|audio| audio.track.name == sound.file.name);
            self.sounds.retain(is_known);
        }
        for audio in &part.set.audio {
            let track = &audio.track;
            let ticks = track.segments.iter().map(|segment| segment.duration);
            let sound = self.sounds.iter_mut().find(|sound| sound.file.name == track.name);
            if let Some(sound) = sound {
                sound.until = track.start + ticks.sum::<u64>();
            }
        }
    }

    /// The index of a part whose picture is stored. `after` is the number of the part behind it.
    async fn part(&mut self, chunk: &Chunk, after: usize) -> Result<StreamPart> {
        let files = chunk.stored.as_ref().context("the part is not in the store")?;
        let film = self.lead.encoder.film;
        let is_last = after == film.parts.len();
        let end = film.parts.get(after).and_then(|part| part.start);
        let mut objects = Vec::new();
        let video = self.video(chunk, end, files, &mut objects)?;
        let second = if is_last {
            f64::INFINITY
        } else {
            film.second(end, film.duration)
        };
        let audio = self.audio(second, &mut objects).await?;
        let set = StreamSet {
            video,
            audio,
            images: None,
        };
        Ok(StreamPart {
            target: self.target,
            last: is_last,
            set,
            objects,
        })
    }

    /// The pictures of a part that ends at the cut `end`, in ticks of the file's clock.
    fn video(
        &self,
        chunk: &Chunk,
        end: Option<i64>,
        files: &[StoredFile],
        objects: &mut Vec<Output>,
    ) -> Result<Vec<StreamVideo>> {
        let film = self.lead.encoder.film;
        let tracks: Vec<&Track> = chunk.tracks.iter().collect();
        let places = segments::boundaries(&tracks);
        let mut video = Vec::new();
        for (((target, track), places), stored) in film.targets.iter().zip(tracks).zip(places).zip(files) {
            let (Some(first), Some(last)) = (track.fragments.first(), track.fragments.last()) else {
                bail!("a rendition has no picture in the part {}", chunk.number);
            };
            let ticks = |cut: Option<i64>| cut.map(|cut| scaled(cut - film.origin, track.timescale));
            let begins = segments::begins(first);
            // Parts without a picture may precede the first one.
            let cut = film.parts[chunk.number].start.filter(|_| self.count > 0);
            let start = ticks(cut).unwrap_or(begins);
            let mut segments = segments::segments(track, &places);
            let is_filled = segments::fill(&mut segments, begins, start, ticks(end).unwrap_or(last.end()));
            ensure!(
                is_filled,
                "the part {} ends before its last picture",
                chunk.number
            );
            let file = OutputFile::stream_video(target.rung.short_side);
            video.push(StreamVideo {
                track: entry(&file, track, start, segments),
                width: target.rung.width,
                height: target.rung.height,
                fps: rate(frame_rate(&film.track)),
            });
            objects.push(output(&file, stored.clone()));
        }
        Ok(video)
    }

    /// The sound up to this second that is not published yet.
    async fn audio(&mut self, second: f64, objects: &mut Vec<Output>) -> Result<Vec<StreamAudio>> {
        self.wait_for_sound(second).await?;
        let name = format!("{}-sound-{:05}", self.lead.encoder.plan, self.count);
        let mut audio = Vec::new();
        for (number, sound) in self.sounds.iter().enumerate() {
            let path = sound.path.with_extension("piece");
            let Some(piece) = sound.piece(second, &path).await? else {
                continue;
            };
            let stored = self.attempt.store_piece(&name, number, &path).await?;
            remove(&[path]);
            objects.push(output(&sound.file, stored));
            audio.push(piece);
        }
        Ok(audio)
    }

    /// Waits until the sound covers this second, or is complete.
    async fn wait_for_sound(&mut self, second: f64) -> Result<()> {
        loop {
            // Before the files are read: they may be complete afterwards.
            let is_made = *self.is_sound_made.borrow();
            for sound in &mut self.sounds {
                sound.read()?;
            }
            if is_made || self.sounds.iter().all(|sound| sound.covers(second)) {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                changed = self.is_sound_made.changed() => changed.context("the sound cannot be made")?,
                () = self.lead.job.cancel.cancelled() => bail!("cancelled"),
            }
        }
    }
}

/// Seconds of a segment at most, in any part of the film. Encoders set a key frame every two seconds. SVT-AV1 counts pictures instead, and a
/// long picture delays the next key frame: then a segment may have the whole part.
fn target(film: &Film, packets: &Packets) -> u32 {
    let gaps = packets.times.windows(2).map(|pair| pair[1] - pair[0]);
    let is_regular = film.codec != Codec::Av1 && gaps.max().unwrap_or(0) <= i64::from(TICKS);
    match is_regular {
        true => TARGET,
        false => TARGET.max(film.longest_seconds().ceil() as u32),
    }
}

/// A time of the film in ticks of a track.
fn scaled(time: i64, timescale: u32) -> u64 {
    let time = i128::from(time.max(0)) * i128::from(timescale) + i128::from(TICKS) / 2;
    u64::try_from(time / i128::from(TICKS)).unwrap_or(0)
}

fn output(file: &OutputFile, stored: StoredFile) -> Output {
    Output {
        name: file.name.to_string(),
        key: stored.key,
        size: stored.size,
        sha256: stored.sha256,
        content_type: file.content_type.to_owned(),
    }
}
