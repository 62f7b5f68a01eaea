//! Transcribes a track in bounded memory.

mod cutter;
mod job;
mod lane;

pub(crate) use cutter::{MARGIN, MAX_PAUSE};
pub(crate) use job::Settings;

use crate::{
    audio::{chunk::seconds, vad::Vad},
    model::whisper::{Cancelled, Whisper},
    text::{
        language::other_languages,
        transcript::{Segment, Transcript},
    },
};
use anyhow::Result;
use cutter::Cutter;
use job::Job;
use parking_lot::Mutex;
use std::{
    sync::{Arc, mpsc},
    thread,
};
use tokio_util::sync::CancellationToken;

/// Transcribes a track that arrives in `blocks` of whole chunks, except the last block.
///
/// Returns `None` for a track without speech. The call blocks its thread. Only the text grows with the track, all other
/// memory is bounded. `progress` receives the seconds of the track that are transcribed.
///
/// # Errors
/// [`Cancelled`] when `cancel` is cancelled, and failures of the models.
pub(crate) fn transcribe(
    whisper: &Arc<Whisper>,
    vad: Vad,
    settings: &Settings,
    blocks: impl Iterator<Item = Vec<f32>>,
    progress: impl Fn(f64) + Sync,
    cancel: &CancellationToken,
) -> Result<Option<Transcript>> {
    let stop = cancel.child_token();
    let (jobs, queue) = mpsc::sync_channel::<Job>(1);
    let queue = Arc::new(Mutex::new(queue));
    let mut cutter = Cutter::new(whisper, settings, vad, &stop);
    let mut texts = thread::scope(|scope| {
        let lane = |queue: Arc<Mutex<mpsc::Receiver<Job>>>| {
            let done = lane::run(whisper, settings, &queue, &progress, &stop);
            // The failure of one lane stops the others.
            done.inspect_err(|_| stop.cancel())
        };
        let lanes: Vec<_> = (0..settings.lanes.max(1))
            .map(|_| {
                scope.spawn({
                    let queue = queue.clone();
                    move || lane(queue)
                })
            })
            .collect();
        // From here on only the lanes own the queue, so the cutter's `send` fails when all lanes have failed.
        drop(queue);
        let cut = cutter.run(blocks, jobs).inspect_err(|_| stop.cancel());
        let ended = lanes
            .into_iter()
            .map(|lane| lane.join().expect("a lane does not panic"));
        let (texts, errors): (Vec<_>, Vec<_>) = ended.partition(Result::is_ok);
        let errors = errors.into_iter().filter_map(Result::err).chain(cut.err());
        // A cancelled lane may only be the consequence of another lane's failure, so failures have precedence.
        match errors.min_by_key(|error| error.is::<Cancelled>()) {
            Some(error) => Err(error),
            None => Ok(texts.into_iter().flatten().flatten().collect::<Vec<_>>()),
        }
    })?;
    texts.sort_by_key(|text| text.number);
    let (mut segments, mut languages) = (Vec::new(), Vec::new());
    for text in texts {
        segments.extend(text.segments);
        languages.extend(text.languages);
    }
    let duration = seconds(cutter.samples());
    settle(&mut segments, duration);
    let speech_seconds = cutter.speech_seconds();
    Ok(cutter.into_language().map(|language| Transcript {
        other_languages: other_languages(&language, languages.into_iter()),
        language,
        segments,
        speech_seconds,
        duration,
    }))
}

/// Makes the times of words increase within the track, and the times of segments equal those of their words.
fn settle(segments: &mut Vec<Segment>, duration: f64) {
    let mut last = 0.0;
    for segment in segments.iter_mut() {
        for word in &mut segment.words {
            word.start = millis(word.start.clamp(last, duration.max(last)));
            word.end = millis(word.end.clamp(word.start, duration.max(word.start)));
            word.probability = millis(word.probability);
            last = word.end;
        }
        if let (Some(first), Some(end)) = (segment.words.first(), segment.words.last()) {
            (segment.start, segment.end) = (first.start, end.end);
        }
    }
    segments.retain(|segment| !segment.words.is_empty());
}

/// Rounds to thousandths. The model is not more precise, and the JSON shrinks to a third.
fn millis(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
