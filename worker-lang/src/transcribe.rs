//! A whole track to text, in bounded memory.

use crate::{
    language::Tally,
    pack::{Packer, chunk_at},
    speech::{CHUNK, Vad, chunks, seconds},
    whisper::{DETECT_SECONDS, Session, Speech, WINDOW_SECONDS},
    words::{Segment, Token, heard_until, segments},
};
use anyhow::Result;

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

/// Transcribes a track that comes in blocks.
pub struct Transcriber {
    session: Session,
    packer: Packer,
    language: Option<String>,
    translate: bool,
    segments: Vec<Segment>,
    samples: usize,
}

impl Transcriber {
    /// Begins a track. Without a `language` the first speech tells.
    pub fn new(session: Session, vad: Vad, language: Option<String>, translate: bool) -> Self {
        Transcriber {
            session,
            packer: Packer::new(vad, PAUSE, MARGIN),
            language,
            translate,
            segments: Vec::new(),
            samples: 0,
        }
    }

    /// Takes the next block: whole chunks of [`CHUNK`] samples, but for the last.
    pub fn feed(&mut self, block: &[f32]) -> Result<()> {
        self.samples += block.len();
        self.packer.feed(block)?;
        // Half a chunk more than a window, so that every window can be cut where it is quiet.
        while self.packer.packed.len() > chunks(WINDOW_SECONDS) + 1 {
            self.window()?;
        }
        Ok(())
    }

    /// The track is over. `None` when nobody speaks in it.
    pub fn finish(mut self) -> Result<Option<Transcript>> {
        self.packer.finish();
        while self.packer.packed.len() > 0 {
            self.window()?;
        }
        let duration = seconds(self.samples);
        settle(&mut self.segments, duration);
        Ok(self
            .language
            .filter(|_| self.packer.speech_seconds() > 0.0)
            .map(|language| Transcript {
                language,
                segments: self.segments,
                speech_seconds: self.packer.speech_seconds(),
                duration,
            }))
    }

    fn window(&mut self) -> Result<()> {
        let len = self.packer.packed.window();
        if self.language.is_none() {
            self.language = Some(self.listen()?);
        }
        let speech = Speech {
            language: self.language.as_deref().unwrap_or("en"),
            translate: self.translate,
        };
        let packed = &mut self.packer.packed;
        let mut tokens = self.session.transcribe(packed.samples(len), speech)?;
        let mut used = len;
        // The model may stop early, at a long pause or a change of speakers: what it has not heard comes again.
        if let (Some(Token::Mark(_)), Some(heard)) = (tokens.last(), heard_until(&tokens)) {
            let mark = chunk_at(heard);
            if mark >= chunks(1.0) && mark < len && packed.spoken(mark..len) > UNHEARD {
                used = mark;
            }
        }
        let looped = stop_loops(&mut tokens);
        if looped {
            tracing::warn!("the model repeated itself; the repetitions are left out");
        }
        for mut segment in segments(&tokens, seconds(used * CHUNK)) {
            for word in &mut segment.words {
                let (start, end) = packed.tighten(word.start, word.end);
                (word.start, word.end) = packed.locate(start, end);
            }
            self.segments.push(segment);
        }
        packed.drop_front(used);
        Ok(())
    }

    /// The language of the first speech: one look, a second when that is unsure.
    fn listen(&mut self) -> Result<String> {
        let mut tally = Tally::default();
        let (len, look) = (self.packer.packed.len(), chunks(DETECT_SECONDS));
        for start in [0, look] {
            let end = (start + look).min(len);
            if start < end && !tally.is_sure() {
                let speech = &self.packer.packed.samples(end)[start * CHUNK..];
                tally.add(
                    &self.session.languages(speech)?,
                    self.packer.packed.spoken(start..end),
                );
            }
        }
        Ok(tally.best().0.to_owned())
    }
}

/// Makes times run forward within the track, and segments span their words.
fn settle(segments: &mut Vec<Segment>, duration: f64) {
    let mut last = 0.0;
    for segment in segments.iter_mut() {
        for word in &mut segment.words {
            word.start = word.start.clamp(last, duration.max(last));
            word.end = word.end.clamp(word.start, duration.max(word.start));
            last = word.end;
        }
        if let (Some(first), Some(end)) = (segment.words.first(), segment.words.last()) {
            (segment.start, segment.end) = (first.start, end.end);
        }
    }
    segments.retain(|segment| !segment.words.is_empty());
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
