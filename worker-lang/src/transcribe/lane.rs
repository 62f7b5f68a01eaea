//! Lane of a transcription: one thread that transcribes windows with its own session.

use super::job::{Job, Settings};
use crate::{
    audio::{
        chunk::{CHUNK, chunk_at, chunks, seconds},
        pack::Packed,
    },
    model::whisper::{Session, Speech, Whisper},
    text::{
        loops::remove_loops,
        tokens::{Token, heard_until},
        transcript::Segment,
        words::segments,
    },
};
use anyhow::Result;
use parking_lot::Mutex;
use std::sync::{Arc, mpsc};
use tokio_util::sync::CancellationToken;

/// Seconds of speech after the model's last timestamp from which this speech is transcribed again.
const MIN_UNHEARD: f64 = 2.0;

/// Transcribes windows until the queue is closed. Returns the segments of each window with its number.
pub(super) fn run(
    whisper: &Arc<Whisper>,
    settings: &Settings,
    queue: &Mutex<mpsc::Receiver<Job>>,
    progress: &impl Fn(f64),
    stop: &CancellationToken,
) -> Result<Vec<(usize, Vec<Segment>)>> {
    let mut session = None;
    let mut texts = Vec::new();
    loop {
        let received = queue.lock().recv();
        let Ok(mut job) = received else {
            return Ok(texts);
        };
        let session = match &mut session {
            Some(session) => session,
            none => none.insert(whisper.session(settings.threads, stop)?),
        };
        let end = job.packed.end();
        let speech = Speech {
            language: &job.language,
            translate: settings.translate,
        };
        texts.push((job.number, transcribe_window(session, &mut job.packed, speech)?));
        progress(end);
    }
}

/// Transcribes one window.
fn transcribe_window(session: &mut Session, packed: &mut Packed, speech: Speech) -> Result<Vec<Segment>> {
    let mut found = Vec::new();
    while packed.waiting() > 0 {
        let len = packed.waiting();
        let mut tokens = session.transcribe(packed.samples(len), speech)?;
        let mut used = len;
        // The model may stop early, at a long pause or a change of speakers. The rest is transcribed in another run.
        if let (Some(Token::Mark(_)), Some(heard)) = (tokens.last(), heard_until(&tokens)) {
            let mark = chunk_at(heard);
            if mark >= chunks(1.0) && mark < len && packed.spoken(mark..len) > MIN_UNHEARD {
                used = mark;
            }
        }
        if remove_loops(&mut tokens) {
            tracing::warn!("the model repeated itself; the repetitions are removed");
        }
        for mut segment in segments(&tokens, seconds(used * CHUNK)) {
            for word in &mut segment.words {
                let (start, end) = packed.tighten(word.start, word.end);
                (word.start, word.end) = packed.locate(start, end);
            }
            found.push(segment);
        }
        packed.split_front(used);
    }
    Ok(found)
}
