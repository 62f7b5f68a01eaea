//! Lane of a transcription: one thread that transcribes windows with its own session.

use super::job::{Job, Settings};
use crate::{
    audio::{
        chunk::{CHUNK, chunk_at, chunks, seconds},
        pack::Packed,
    },
    model::whisper::{Session, Speech, Whisper},
    text::{
        language::{Heard, Tally},
        loops::{has_loops, is_repeated, is_sparse, remove_loops},
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
/// Seconds of a part of a window that is heard again on its own. Most sentences that are repeated are not shorter.
const PART_SECONDS: f64 = 3.0;

/// Text of a window.
pub(super) struct Text {
    /// Position of the window in the track.
    pub(super) number: usize,
    pub(super) segments: Vec<Segment>,
    /// The most probable language of each run of the model.
    pub(super) languages: Vec<Heard>,
}

/// Transcribes windows until the queue is closed. Returns the text of each window.
pub(super) fn run(
    whisper: &Arc<Whisper>,
    settings: &Settings,
    queue: &Mutex<mpsc::Receiver<Job>>,
    progress: &impl Fn(f64),
    stop: &CancellationToken,
) -> Result<Vec<Text>> {
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
        let mut text = Text {
            number: job.number,
            segments: Vec::new(),
            languages: Vec::new(),
        };
        transcribe_window(session, &mut job.packed, speech, &mut text)?;
        texts.push(text);
        progress(end);
    }
}

/// Transcribes one window.
fn transcribe_window(
    session: &mut Session,
    packed: &mut Packed,
    speech: Speech,
    text: &mut Text,
) -> Result<()> {
    while packed.waiting() > 0 {
        let len = packed.waiting();
        let mut tokens = session.transcribe(packed.samples(len), speech)?;
        text.languages
            .push(heard(&session.encoded_languages()?, packed.spoken(0..len)));
        let has_loops = has_loops(&tokens);
        if has_loops {
            remove_loops(&mut tokens);
        }
        if (has_loops || is_sparse(&tokens, packed.spoken(0..len)))
            && let Some(segments) = repetitions(session, packed, speech, &tokens)?
        {
            text.segments.extend(segments);
            packed.split_front(len);
            continue;
        }
        if has_loops {
            tracing::warn!("the model repeated itself; the repetitions are removed");
        }
        let mut used = len;
        // The model may stop early, at a long pause or a change of speakers. The rest is transcribed in another run.
        if let (Some(Token::Mark(_)), Some(heard)) = (tokens.last(), heard_until(&tokens)) {
            let mark = chunk_at(heard);
            if mark >= chunks(1.0) && mark < len && packed.spoken(mark..len) > MIN_UNHEARD {
                used = mark;
            }
        }
        text.segments.extend(located(packed, &tokens, used));
        packed.split_front(used);
    }
    Ok(())
}

/// The text of short parts of a window, if these say the words of the whole again and again.
///
/// A decoder in a loop repeats its words, and a sentence that is said ten times may be written once. The sound tells the
/// two apart: only what is said repeatedly is heard in each part.
fn repetitions(
    session: &mut Session,
    packed: &Packed,
    speech: Speech,
    whole: &[Token],
) -> Result<Option<Vec<Segment>>> {
    let mut rest = packed.clone();
    let mut found = Vec::new();
    while rest.waiting() > 0 {
        let len = rest.window(PART_SECONDS);
        let mut tokens = session.transcribe(rest.samples(len), speech)?;
        remove_loops(&mut tokens);
        found.extend(located(&rest, &tokens, len));
        rest.split_front(len);
    }
    let text = |segments: &[Segment]| -> Vec<String> {
        segments.iter().map(|segment| segment.text.clone()).collect()
    };
    let whole = segments(whole, seconds(packed.waiting() * CHUNK));
    Ok(is_repeated(&text(&whole).join(" "), &text(&found).join(" ")).then_some(found))
}

/// Segments of the first `used` chunks, with the times of the track.
fn located(packed: &Packed, tokens: &[Token], used: usize) -> Vec<Segment> {
    let mut found = segments(tokens, seconds(used * CHUNK));
    for word in found.iter_mut().flat_map(|segment| &mut segment.words) {
        let (start, end) = packed.tighten(word.start, word.end);
        (word.start, word.end) = packed.locate(start, end);
    }
    found
}

/// The most probable language of `seconds` of speech.
fn heard(probabilities: &[f64], seconds: f64) -> Heard {
    let mut tally = Tally::default();
    tally.add(probabilities, seconds);
    let (code, probability) = tally.best();
    Heard {
        code: code.to_owned(),
        probability,
        seconds,
    }
}
