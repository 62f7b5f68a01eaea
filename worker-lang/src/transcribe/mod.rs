//! A whole track to text, in bounded memory.

use crate::{
    language::Tally,
    pack::{Packed, Packer, chunk_at},
    speech::{CHUNK, Vad, chunks, seconds},
    whisper::{Cancelled, DETECT_SECONDS, Session, Speech, WINDOW_SECONDS, Whisper},
    words::{Segment, Token, heard_until, segments},
};
use anyhow::{Result, ensure};
use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};
use tokio_util::sync::CancellationToken;

/// Pauses up to this many seconds stay in: the model hears where sentences end. faster-whisper's default.
const PAUSE: f64 = 2.0;
/// Seconds kept around speech, so that no first or last sound is cut off. faster-whisper's default.
const MARGIN: f64 = 0.4;
/// Seconds of speech after the model's last word that are worth another look.
const UNHEARD: f64 = 2.0;
/// Times in a row that the same few words may come: more is a loop of the decoder.
const REPEATS: usize = 4;
/// Words in the longest loop that is looked for.
const LOOP: usize = 8;

/// The text of a track.
#[derive(Debug)]
pub struct Transcript {
    /// Code of the spoken language, given or found.
    pub language: String,
    /// Everything said, in order, in seconds of the track.
    pub segments: Vec<Segment>,
    /// Seconds in which somebody speaks.
    pub speech_seconds: f64,
    /// Seconds of audio that came.
    pub duration: f64,
}

/// What to write.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Code of the spoken language; without it the first speech tells.
    pub language: Option<String>,
    /// Write English.
    pub translate: bool,
    /// Windows that are transcribed at the same time, each in a state of its own (about 180 MB with the base model).
    pub lanes: usize,
    /// Threads of the model in each lane.
    pub threads: usize,
}

/// A stretch of packed speech on its way to the model.
struct Job {
    number: usize,
    packed: Packed,
    language: String,
}

/// Transcribes a track that comes in `blocks` of whole chunks (but for the last). `None` when nobody speaks in it.
///
/// Blocks the thread. Memory does not grow with the track, but for the text. `progress` gets the seconds of the
/// track that are done. Ends early with [`Cancelled`] once `cancel` is.
pub fn transcribe(
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
    let mut cutter = Cutter {
        whisper,
        settings,
        packer: Packer::new(vad, PAUSE, MARGIN),
        language: settings.language.clone(),
        samples: 0,
        number: 0,
        stop: &stop,
    };
    let mut texts = thread::scope(|scope| {
        let lane = |queue: Arc<Mutex<mpsc::Receiver<Job>>>| {
            let done = run_lane(whisper, settings, &queue, &progress, &stop);
            // One failure ends all lanes.
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
        // Only the lanes hold it from here on: when all of them have failed, nobody waits for them.
        drop(queue);
        let cut = cutter.run(blocks, jobs).inspect_err(|_| stop.cancel());
        let ended = lanes
            .into_iter()
            .map(|lane| lane.join().expect("a lane does not panic"));
        let (texts, errors): (Vec<_>, Vec<_>) = ended.partition(Result::is_ok);
        let errors = errors.into_iter().filter_map(Result::err).chain(cut.err());
        // A lane that was stopped for another's failure is not the reason.
        match errors.min_by_key(|error| error.is::<Cancelled>()) {
            Some(error) => Err(error),
            None => Ok(texts.into_iter().flatten().flatten().collect::<Vec<_>>()),
        }
    })?;
    texts.sort_by_key(|(number, _)| *number);
    let mut segments = texts.into_iter().flat_map(|(_, segments)| segments).collect();
    let duration = seconds(cutter.samples);
    settle(&mut segments, duration);
    Ok(cutter
        .language
        .filter(|_| cutter.number > 0)
        .map(|language| Transcript {
            language,
            segments,
            speech_seconds: cutter.packer.speech_seconds(),
            duration,
        }))
}

/// Finds the speech and cuts it into windows.
struct Cutter<'a> {
    whisper: &'a Arc<Whisper>,
    settings: &'a Settings,
    packer: Packer,
    language: Option<String>,
    samples: usize,
    number: usize,
    stop: &'a CancellationToken,
}

impl Cutter<'_> {
    fn run(&mut self, blocks: impl Iterator<Item = Vec<f32>>, jobs: mpsc::SyncSender<Job>) -> Result<()> {
        for block in blocks {
            ensure!(!self.stop.is_cancelled(), Cancelled);
            self.samples += block.len();
            self.packer.feed(&block)?;
            // A little more than a window, so that every window can be cut where it is quiet.
            while self.packer.packed.waiting() > chunks(WINDOW_SECONDS) + 1 {
                self.cut(&jobs)?;
            }
        }
        self.packer.finish();
        while self.packer.packed.waiting() > 0 {
            self.cut(&jobs)?;
        }
        Ok(())
    }

    fn cut(&mut self, jobs: &mpsc::SyncSender<Job>) -> Result<()> {
        let language = match &self.language {
            Some(language) => language.clone(),
            None => self.language.insert(self.listen()?).clone(),
        };
        let packed = &mut self.packer.packed;
        let job = Job {
            number: self.number,
            packed: packed.split_front(packed.window()),
            language,
        };
        self.number += 1;
        // Nobody takes it when the lanes have failed: theirs is the error that counts.
        jobs.send(job).map_err(|_| Cancelled.into())
    }

    /// The language of the first speech: one look, a second when that is unsure.
    fn listen(&self) -> Result<String> {
        let mut session = self
            .whisper
            .session(self.settings.lanes * self.settings.threads, self.stop)?;
        let mut tally = Tally::default();
        let packed = &self.packer.packed;
        let look = chunks(DETECT_SECONDS);
        for start in [0, look] {
            let end = (start + look).min(packed.waiting());
            if start < end && !tally.is_sure() {
                let speech = &packed.samples(end)[start * CHUNK..];
                tally.add(&session.languages(speech)?, packed.spoken(start..end));
            }
        }
        Ok(tally.best().0.to_owned())
    }
}

/// Transcribes windows until there are no more; the segments of each with its number.
fn run_lane(
    whisper: &Arc<Whisper>,
    settings: &Settings,
    queue: &Mutex<mpsc::Receiver<Job>>,
    progress: &impl Fn(f64),
    stop: &CancellationToken,
) -> Result<Vec<(usize, Vec<Segment>)>> {
    let mut session = None;
    let mut texts = Vec::new();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut job) = job else {
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
        texts.push((job.number, window(session, &mut job.packed, speech)?));
        progress(end);
    }
}

/// The text of one window.
fn window(session: &mut Session, packed: &mut Packed, speech: Speech) -> Result<Vec<Segment>> {
    let mut found = Vec::new();
    while packed.waiting() > 0 {
        let len = packed.waiting();
        let mut tokens = session.transcribe(packed.samples(len), speech)?;
        let mut used = len;
        // The model may stop early, at a long pause or a change of speakers: what it has not heard comes again.
        if let (Some(Token::Mark(_)), Some(heard)) = (tokens.last(), heard_until(&tokens)) {
            let mark = chunk_at(heard);
            if mark >= chunks(1.0) && mark < len && packed.spoken(mark..len) > UNHEARD {
                used = mark;
            }
        }
        if stop_loops(&mut tokens) {
            tracing::warn!("the model repeated itself; the repetitions are left out");
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

/// Makes times run forward within the track, and segments span their words.
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

/// Rounded to thousandths: all that the model can tell, and a third of the bytes.
fn millis(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Cuts a run of up to [`LOOP`] tokens that comes more than [`REPEATS`] times in a row down to one; says if it did.
fn stop_loops(tokens: &mut Vec<Token>) -> bool {
    let before = tokens.len();
    let same = |a: &Token, b: &Token| match (a, b) {
        (Token::Text { bytes: a, .. }, Token::Text { bytes: b, .. }) => a == b,
        (Token::Mark(_), Token::Mark(_)) => true,
        _ => false,
    };
    for size in 1..=LOOP * 2 {
        let mut start = 0;
        while start + size <= tokens.len() {
            let mut end = start + size;
            while end < tokens.len() && same(&tokens[end], &tokens[end - size]) {
                end += 1;
            }
            let spoken = tokens[start..start + size]
                .iter()
                .any(|token| matches!(token, Token::Text { .. }));
            if spoken && (end - start) / size > REPEATS {
                tokens.drain(start + size..start + (end - start) / size * size);
            }
            start += 1;
        }
    }
    tokens.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let token = |part: &str| match part {
            "|" => Token::Mark(1.0),
            part => Token::Text {
                bytes: part.as_bytes().to_vec(),
                probability: 1.0,
                hint: None,
            },
        };
        let mut tokens: Vec<Token> = text.split(' ').map(token).collect();
        stop_loops(&mut tokens);
        let left: Vec<String> = tokens
            .iter()
            .map(|token| match token {
                Token::Mark(_) => "|".to_owned(),
                Token::Text { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
            })
            .collect();
        assert_eq!(left.join(" "), expected);
    }

    #[test]
    fn loops_end() {
        check("a b c", "a b c");
        check("no no no no then", "no no no no then");
        check("x a a a a a a a y", "x a y");
        check("x a b a b a b a b a b a b y", "x a b y");
        check("| a b | | a b | | a b | | a b | | a b | | c |", "| a b | | c |");
    }
}
